// Figures of the limits, measured on the built package: what hostile peers cost in memory, how long
// a node takes to close, what opening and closing leaves behind. Prints one JSON line per figure.
//   node scripts/measure-limits.mjs
import { fork } from 'node:child_process'
import { connect } from 'node:net'
import { deflateSync } from 'node:zlib'
import { createMessage, encodeFrame, networkId } from '@p2p/serializer'
import { NodeShell, Peers, resolveNodeOptions } from '../dist/index.js'

class Machine {
  constructor(peers) {
    this.peers = peers
  }
  handle(input, now) {
    if (input.type === 'cancel') {
      return this.peers.handle({ type: 'cancel-connect', request: input.request }, now)
    }
    if (input.type === 'connect') return this.peers.handle({ expectedId: undefined, ...input }, now)
    return this.peers.handle(input, now)
  }
  nextDeadline() {
    return this.peers.nextDeadline()
  }
}

async function openNode(given = {}) {
  const options = resolveNodeOptions({ listen: 'tcp://127.0.0.1:0', ...given }, { subnet: 'mesh' })
  const shell = new NodeShell({
    options,
    createMachine: (boot) => new Machine(new Peers({ ...boot, ...options })),
    onEffect: (effect) => {
      if (effect.type === 'peer-open') shell.peerJoined(effect.peer)
      if (effect.type === 'peer-closed') shell.peerLeft(effect.peer, effect.reason)
      if (effect.type === 'connected') shell.settle(effect.request, effect.peer)
      if (effect.type === 'connect-failed') shell.fail(effect.request, effect.error)
    },
  })
  await shell.start()
  return shell
}

const say = (figure) => process.stdout.write(`${JSON.stringify(figure)}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mebibytes = (bytes) => Math.round(bytes / 104_857.6) / 10

if (process.argv[2] === 'victim') {
  const node = await openNode()
  globalThis.gc?.()
  process.send({ address: node.addresses[0], rss: process.memoryUsage().rss })
  let peak = 0
  setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5)
  // Nothing is left behind when the measuring process is stopped.
  process.on('disconnect', () => process.exit())
  process.on('message', async (what) => {
    if (what === 'report') process.send({ peak, links: node.report().links.length })
    else {
      const startedMs = performance.now()
      await node.close()
      process.send({ closeMs: performance.now() - startedMs, handles: node.report().handles })
      process.exit()
    }
  })
} else {
  await cycles()
  await attacks()
}

async function withVictim(name, attack) {
  const child = fork(new URL(import.meta.url), ['victim'], { execArgv: ['--expose-gc'] })
  const next = () => new Promise((resolve) => child.once('message', resolve))
  const { address, rss } = await next()
  const port = Number(address.split(':').at(-1))
  const sockets = []
  const dial = () =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port }, () => resolve(socket))
      socket.on('error', () => undefined)
      // Only who reads hears of the end.
      socket.resume()
      sockets.push(socket)
    })
  await attack(dial, address)
  child.send('report')
  const { peak, links } = await next()
  say({ figure: name, metric: 'rss growth', value: mebibytes(peak - rss), unit: 'MiB', links })
  child.send('close')
  const { closeMs, handles } = await next()
  const exited = new Promise((resolve) => child.once('exit', resolve))
  say({ figure: name, metric: 'close', value: Math.round(closeMs * 10) / 10, unit: 'ms', handles })
  for (const socket of sockets) socket.destroy()
  await exited
}

function greeting(id) {
  const network = networkId({ subnet: 'mesh', encryption: 'Plaintext' })
  const payload = [5, id, network, ['127.0.0.1', 9], [0x13]]
  return encodeFrame(createMessage({ type: 2, sender: id, time: 1, payload }))
}

function framed(block) {
  const frame = Buffer.alloc(4 + block.length)
  frame.writeUInt32BE(block.length)
  frame.set(block, 4)
  return frame
}

async function attacks() {
  const bomb = framed(deflateSync(Buffer.alloc(1_048_576 * 1_000)))
  await withVictim('1 MiB that inflates to 1,000 MiB', async (dial) => {
    const socket = await dial()
    socket.write(greeting('Eve'))
    await pause(100)
    const startedMs = performance.now()
    socket.write(bomb)
    await new Promise((resolve) => socket.once('close', resolve))
    say({
      figure: 'bomb',
      metric: 'cut after',
      value: Math.round(performance.now() - startedMs),
      unit: 'ms',
    })
  })
  await withVictim('one peer, half of a 16 MiB frame', async (dial) => {
    const socket = await dial()
    socket.write(greeting('Eve'))
    socket.write(framed(new Uint8Array(16 * 1_048_576)).subarray(0, 15 * 1_048_576))
    await pause(1_500)
  })
  await withVictim('1,000 silent links', async (dial, address) => {
    for (let batch = 0; batch < 20; batch += 1) {
      await Promise.all(Array.from({ length: 50 }, dial))
      await pause(20)
    }
    const times = []
    for (let attempt = 0; attempt < 50; attempt += 1) {
      void dial()
      const startedMs = performance.now()
      const honest = await openNode({ listen: [] })
      await honest.connect(address)
      times.push(performance.now() - startedMs)
      await honest.close()
    }
    times.sort((a, b) => a - b)
    say({
      figure: 'honest dial meanwhile',
      metric: 'p99',
      value: Math.round(times[49]),
      unit: 'ms',
    })
  })
  await withVictim('300 peers, 1 MiB of a frame each', async (dial) => {
    const half = framed(new Uint8Array(16 * 1_048_576)).subarray(0, 1_048_576)
    for (let index = 0; index < 300; index += 1) {
      const socket = await dial()
      socket.write(
        greeting(
          `Eve${'123456789'[index % 9]}${'ABCDEFGH'[index % 8]}${'abcdefg'[index % 7]}${'xyz'[index % 3]}${'rstuv'[index % 5]}`,
        ),
      )
      socket.write(half)
    }
    await pause(3_000)
  })
}

async function cycles() {
  const used = []
  for (let cycle = 0; cycle <= 1_000; cycle += 1) {
    const node = await openNode()
    await node.close()
    if (cycle % 100 !== 0) continue
    await pause(50)
    globalThis.gc?.()
    used.push(process.memoryUsage().heapUsed)
  }
  say({
    figure: '1,000 open/close',
    metric: 'heap growth',
    value: mebibytes(used.at(-1) - used[1]),
    unit: 'MiB',
  })
}
