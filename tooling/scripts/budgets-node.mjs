// One node in a process of its own, closed in the middle of the phase of life that the first argument
// names. check-budgets.mjs starts it and measures. Prints one JSON line when close() has resolved:
// when it was called and when it resolved (milliseconds of UTC), what was left open, and memory.
import { writeSync } from 'node:fs'
import { importBuilt } from './import-built.mjs'

const { MeshNode } = await importBuilt('mesh')

const [phase, address] = process.argv.slice(2)
const utcMs = () => performance.timeOrigin + performance.now()
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const next = (node, event) => new Promise((resolve) => node.on(event, resolve, { once: true }))
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`)
/** Long enough for a dial or handshake over loopback to get as far as it will. */
const halfwayMs = 150
const idleMs = 1_500

/** Each brings a node to the phase and returns it. */
const phases = {
  async hello() {
    const node = await MeshNode.open({ connect: address })
    const answer = next(node, 'message')
    node.broadcast('hello')
    await answer
    return node
  },
  async idle() {
    const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0', connect: address })
    await pause(idleMs)
    return node
  },
  listening: () => MeshNode.open({ listen: 'tcp://127.0.0.1:0' }),
  async dialling() {
    const node = await MeshNode.open()
    node.connect(address).catch(() => undefined)
    await pause(halfwayMs)
    return node
  },
  async dialled() {
    const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
    say({ addresses: node.addresses })
    await pause(2 * halfwayMs)
    return node
  },
  async connected() {
    const node = await MeshNode.open()
    await node.connect(address)
    return node
  },
  async 'in mid-message'() {
    const node = await MeshNode.open()
    await node.connect(address)
    for (let count = 0; count < 3; count += 1) node.broadcast(new Uint8Array(4_000_000))
    await pause(halfwayMs)
    return node
  },
  async searching() {
    const node = await MeshNode.open({ connect: address })
    node.send('1'.repeat(60), 'anybody').catch(() => undefined)
    await pause(halfwayMs)
    return node
  },
}

/** Aborted before it is open: the signal closes it, and nobody is handed the node. */
async function openAndAbort() {
  const abort = new AbortController()
  const opening = MeshNode.open({ connect: address, signal: abort.signal })
  await pause(halfwayMs)
  const calledMs = utcMs()
  abort.abort()
  const { code } = await opening.catch((error) => error)
  if (code !== 'P2P_CLOSED') throw new Error(`opening ended with ${code}, not P2P_CLOSED`)
  return { calledMs }
}

async function bringAndClose() {
  const node = await phases[phase]()
  const { rss } = process.memoryUsage()
  const calledMs = utcMs()
  await node.close()
  return { node, calledMs, rss }
}

const { node, calledMs, rss } = await (phase === 'opening' ? openAndAbort() : bringAndClose())
const closedMs = utcMs()
// Standard output may be a pipe that is still open; that is not the node's.
const isOfNode = (name) => !/^(TTY|Pipe|FS|CloseReq)/.test(name)
const leftOpen = () => process.getActiveResourcesInfo().filter(isOfNode)
// The operating system's side of a socket goes with the next turns of the event loop.
for (let turn = 0; turn < 10 && leftOpen().length > 0; turn += 1) {
  await new Promise((resolve) => process.nextTick(() => setTimeout(resolve, 0)))
}
const left = leftOpen()
const handles = node?.report().handles ?? left.length
say({ calledMs, closedMs, handles, left, rss })
