// Figures of the limits, measured on the built package: what hostile peers cost in memory, how long
// a node takes to close, what opening and closing leaves behind. Prints one JSON line per figure;
// status 1 when one is over its budget.
//   node scripts/measure-limits.mjs
import { fork } from 'node:child_process'
import { connect } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deflateSync } from 'node:zlib'
import { createMessage, encodeFrame, networkId } from '@p2p/serializer'
import { WebSocket } from 'ws'
import { slowdown } from '../../../tooling/scripts/machine-speed.mjs'
import { NodeShell, Peers, resolveNodeOptions } from '../dist/bundle/index.js'

/** Resident memory that one peer may cost, and any number of them together. */
const maxOnePeerMib = 48
const maxManyPeersMib = 256
const maxBombMs = 100
const maxHonestMs = 1_000
/** A leak of 1 KiB per cycle would be more. */
const maxCyclesMib = 1

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

function say({ value, budget, ...figure }) {
  const ok = budget === undefined || value <= budget
  if (!ok) process.exitCode = 1
  process.stdout.write(`${JSON.stringify({ ...figure, value, budget, ok })}\n`)
}
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mebibytes = (bytes) => Math.round(bytes / 104_857.6) / 10

if (process.argv[2] === 'victim') {
  const node = await openNode({ listen: process.argv[3] })
  collectGarbage()
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

async function withVictim(name, budget, attack, listen = 'tcp://127.0.0.1:0') {
  const child = fork(new URL(import.meta.url), ['victim', listen])
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
  const value = mebibytes(peak - rss)
  say({ figure: name, metric: 'rss growth', value, budget, unit: 'MiB', links })
  child.send('close')
  const { closeMs, handles } = await next()
  const exited = new Promise((resolve) => child.once('exit', resolve))
  say({ figure: name, metric: 'close', value: Math.round(closeMs * 10) / 10, unit: 'ms', handles })
  for (const socket of sockets) socket.destroy()
  await exited
}

function greeting(id, encryption = 'Plaintext') {
  const network = networkId({ subnet: 'mesh', encryption })
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
  await withVictim('five times 1 MiB that inflates to 1,000 MiB', maxOnePeerMib, async (dial) => {
    const budget = Math.round(maxBombMs * slowdown())
    let cutMs = Infinity
    // Other programs can only make it slower, so the best of a few counts. What was inflated before the
    // limit is garbage and not yet collected, so the memory of all five counts.
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const socket = await dial()
      socket.write(greeting('Eve'))
      await pause(100)
      const startedMs = performance.now()
      socket.write(bomb)
      await new Promise((resolve) => socket.once('close', resolve))
      cutMs = Math.min(cutMs, performance.now() - startedMs)
    }
    say({
      figure: 'bomb',
      metric: 'cut after',
      value: Math.round(cutMs),
      budget,
      unit: 'ms',
    })
  })
  await withVictim('one peer, half of a 16 MiB frame', maxOnePeerMib, async (dial) => {
    const socket = await dial()
    socket.write(greeting('Eve'))
    socket.write(framed(new Uint8Array(16 * 1_048_576)).subarray(0, 15 * 1_048_576))
    await pause(1_500)
  })
  await withVictim('1,000 silent links', maxManyPeersMib, async (dial, address) => {
    for (let batch = 0; batch < 20; batch += 1) {
      await Promise.all(Array.from({ length: 50 }, dial))
      await pause(20)
    }
    const times = []
    let redials = 0
    for (let attempt = 0; attempt < 50; attempt += 1) {
      void dial()
      const startedMs = performance.now()
      const honest = await openNode({ listen: [] })
      // On a busy machine its handshake may come too late for the little time a full node gives it.
      for (let isIn = false; !isIn;) {
        isIn = await honest.connect(address).then(
          () => true,
          () => false,
        )
        if (!isIn) redials += 1
      }
      times.push(performance.now() - startedMs)
      await honest.close()
    }
    times.sort((a, b) => a - b)
    say({
      figure: 'honest dial meanwhile',
      metric: 'p99',
      value: Math.round(times[49]),
      budget: maxHonestMs,
      unit: 'ms',
      redials,
    })
  })
  await halfWebSocketMessages()
  await withVictim('300 peers, 1 MiB of a frame each', maxManyPeersMib, async (dial) => {
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

/** Messages that never end, which the WebSocket library holds back from the node. */
async function halfWebSocketMessages() {
  const listen = 'ws://127.0.0.1:0'
  const half = new Uint8Array(1_048_576)
  const dialWeb = async (address) => {
    const socket = new WebSocket(address)
    socket.on('error', () => undefined)
    await new Promise((resolve) => {
      socket.once('open', resolve)
      socket.once('close', resolve)
    })
    return socket
  }
  await withVictim(
    'one WebSocket peer, half of a 16 MiB message',
    maxOnePeerMib,
    async (_, address) => {
      const socket = await dialWeb(address)
      socket.send(greeting('Eve', 'ws'))
      for (let part = 0; part < 15; part += 1) socket.send(half, { fin: false })
      await pause(1_500)
      socket.terminate()
    },
    listen,
  )
  await withVictim(
    '1,000 WebSocket links, half a message each before the handshake',
    maxManyPeersMib,
    async (_, address) => {
      const sockets = []
      for (let batch = 0; batch < 20; batch += 1) {
        sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => dialWeb(address)))))
        for (const socket of sockets.slice(-50)) socket.send(half, { fin: false })
      }
      await pause(1_500)
      for (const socket of sockets) socket.terminate()
    },
    listen,
  )
}

async function cycles() {
  const used = []
  for (let cycle = 0; cycle <= 1_000; cycle += 1) {
    const node = await openNode()
    await node.close()
    if (cycle % 100 !== 0) continue
    await pause(50)
    collectGarbage()
    used.push(process.memoryUsage().heapUsed)
  }
  say({
    figure: '1,000 open/close',
    metric: 'heap growth',
    value: mebibytes(used.at(-1) - used[1]),
    budget: maxCyclesMib,
    unit: 'MiB',
  })
}
