// `npm run soak -- --minutes N`: networks of every kind in one process under a steady load, while one node after
// the other leaves and another comes in its place. Nothing may get lost for good, no node may have an
// error event, the number of handles stays what it was, and live memory (after a garbage collection) may grow
// by 1 MiB per minute at most. Memory is judged from the third minute on, when what nodes remember for a minute
// has filled up; a shorter run judges all the rest and says so. Ends with one JSON line; status 1 on a failure.
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { importBuilt } from './import-built.mjs'

const [{ MeshNode }, { SyncNode }, { ChordNode }, { P2pyNode }] = await Promise.all(
  ['mesh', 'sync', 'chord', 'p2py-compat'].map(importBuilt),
)

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const runMs = Number(values.minutes) * 60_000
if (!(runMs > 0)) throw new RangeError(`--minutes must be a positive number, got ${values.minutes}`)

const maxMibPerMinute = 1
/** Caches hold what happened in the last minute, some in two generations. */
const warmUpMs = 130_000
const minJudgedMs = 60_000
/** One more or less link between five nodes that need not all be neighbours: two ends of a socket. */
const maxHandleChange = 2
const turnMs = 5_000
const loadMs = 100
const settleMs = 30_000
const mebibyte = 1_048_576
const local = (scheme) => `${scheme}://127.0.0.1:0`

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const say = (text) => process.stderr.write(`${text}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const errors = []
const failures = []
/** Operations by kind: done, and those that failed while a node was being replaced. */
const counts = { mesh: 0, sync: 0, chord: 0, p2py: 0, retried: 0, replaced: 0 }

function watch(name, node) {
  node.on('error', (error) => errors.push(`${name}: ${error.code ?? ''} ${error.message}`))
  return node
}

/** Closes a node, once `idle` has resolved; the load passes its place over until there is another. */
async function leave(nodes, index, idle = () => Promise.resolve()) {
  const node = nodes[index]
  nodes[index] = undefined
  await idle()
  await node.close()
}

/** Five nodes over three transports; every message has to reach the one that counts. */
async function openMesh() {
  const hub = watch('mesh', await MeshNode.open({ listen: ['tcp', 'tls', 'ws'].map(local) }))
  let heard = 0
  hub.on('message', () => (heard += 1))
  const others = []
  const join = (index) =>
    MeshNode.open({ listen: local('tcp'), connect: hub.addresses[index % hub.addresses.length] })
  for (let index = 0; index < 4; index += 1) others.push(watch('mesh', await join(index)))
  let sent = 0
  return {
    load() {
      for (const node of others.filter((one) => one !== undefined)) {
        node.broadcast('steady', sent, new Uint8Array(100))
        sent += 1
        counts.mesh += 1
      }
    },
    async replace(turn) {
      const index = turn % others.length
      await leave(others, index)
      others[index] = watch('mesh', await join(index))
    },
    async check() {
      for (let waited = 0; heard < sent && waited < settleMs; waited += loadMs) await pause(loadMs)
      if (heard !== sent) failures.push(`mesh: ${heard} of ${sent} messages heard`)
    },
    close: () => Promise.all([hub, ...others].map((node) => node.close())),
  }
}

/** Two writers with keys of their own, and readers that come and go. */
async function openSync() {
  const keyCount = 500
  const first = watch('sync', await SyncNode.open({ listen: local('tcp') }))
  const open = async () =>
    watch('sync', await SyncNode.open({ listen: local('tcp'), connect: first.addresses }))
  const second = await open()
  const readers = [await open(), await open()]
  let round = 0
  return {
    load() {
      for (const [name, node] of [
        ['one', first],
        ['two', second],
      ]) {
        node.set(`${name} ${round % keyCount}`, { round, text: 'x'.repeat(40) })
        counts.sync += 1
      }
      round += 1
    },
    async replace(turn) {
      const index = turn % readers.length
      await leave(readers, index)
      readers[index] = await open()
    },
    async check() {
      const nodes = await readers[0].settled({ timeoutMs: settleMs }).catch(() => 0)
      const digests = new Set([first, second, ...readers].map((node) => node.digest()))
      if (nodes !== 4 || digests.size !== 1) failures.push(`sync: ${nodes} of 4 nodes agree`)
    },
    close: () => Promise.all([first, second, ...readers].map((node) => node.close())),
  }
}

/** Six storing nodes; what was acknowledged has to be read again. */
async function openChord() {
  const keyCount = 200
  const first = watch('chord', await ChordNode.open({ listen: local('tcp'), join: true }))
  const open = async () =>
    watch(
      'chord',
      await ChordNode.open({ listen: local('tcp'), connect: first.addresses[0], join: true }),
    )
  const others = []
  for (let index = 0; index < 5; index += 1) others.push(await open())
  const written = new Map()
  let round = 0
  let busy = false
  return {
    async load() {
      if (busy) return
      busy = true
      const key = `key ${round % keyCount}`
      const value = (round += 1)
      try {
        await first.set(key, value)
        written.set(key, value)
        counts.chord += 1
      } catch (error) {
        // Refused while the ring is changing: either value may stand now.
        if (!String(error.code).startsWith('P2P_')) throw error
        written.delete(key)
        counts.retried += 1
      }
      busy = false
    },
    async replace(turn) {
      const index = turn % others.length
      await others[index].leave()
      await leave(others, index)
      others[index] = await open()
    },
    async check() {
      for (let waited = 0; busy && waited < settleMs; waited += loadMs) await pause(loadMs)
      for (const [key, value] of written) {
        const got = await others[0].get(key).catch((error) => error.code)
        if (got !== value) failures.push(`chord: ${key} is ${got}, not ${value}`)
      }
    },
    close: () => Promise.all([first, ...others].map((node) => node.close())),
  }
}

/** Four nodes that ask each other. */
async function openP2py() {
  const first = watch('p2py', await P2pyNode.open({ port: 0 }))
  first.handle('ADD', ({ data }) => ({ type: 'SUM', data: Number(data) + 1 }))
  const open = async () => {
    const node = watch('p2py', await P2pyNode.open({ port: 0 }))
    await node.join([first.address])
    return node
  }
  const others = [await open(), await open(), await open()]
  let asked = 0
  const waiting = new Set()
  return {
    load() {
      const node = others[asked % others.length] ?? others.find((one) => one !== undefined)
      const data = (asked += 1)
      const one = node.request({ uuid: 0 }, { type: 'ADD', data }).then(
        (response) => {
          counts.p2py += 1
          if (response.data !== data + 1) failures.push(`p2py: ${data} + 1 = ${response.data}`)
        },
        () => (counts.retried += 1),
      )
      waiting.add(one)
      void one.finally(() => waiting.delete(one))
    },
    async replace(turn) {
      const index = turn % others.length
      // An answer to a node that has gone would be an error event of who gives it.
      await leave(others, index, () => Promise.all(waiting))
      others[index] = await open()
    },
    check: () => Promise.all(waiting),
    close: () => Promise.all([first, ...others].map((node) => node.close())),
  }
}

const isOfNode = (name) => !/^(TTY|Pipe|FS|Close|Immediate)/.test(name)
const handles = () => process.getActiveResourcesInfo().filter(isOfNode).length

function liveMib() {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / mebibyte
}

/** Growth per minute of the straight line that fits best. */
function slopePerMinute(samples, key) {
  const mean = (pick) => samples.reduce((sum, one) => sum + pick(one), 0) / samples.length
  const meanMs = mean(({ atMs }) => atMs)
  const meanValue = mean((one) => one[key])
  const above = mean((one) => (one.atMs - meanMs) * (one[key] - meanValue))
  return (above / mean(({ atMs }) => (atMs - meanMs) ** 2)) * 60_000
}

const handlesBefore = handles()
const networks = [await openMesh(), await openSync(), await openChord(), await openP2py()]
const names = ['mesh', 'sync', 'chord', 'p2py']
const startedMs = performance.now()
const timer = setInterval(() => {
  for (const network of networks) void network.load()
}, loadMs)
const samples = []
for (let turn = 0; performance.now() - startedMs < runMs; turn += 1) {
  await pause(turnMs)
  // All are complete again: five seconds have passed since one left.
  const sample = {
    atMs: performance.now() - startedMs,
    liveMib: liveMib(),
    rssMib: process.memoryUsage().rss / mebibyte,
    handles: handles(),
  }
  samples.push(sample)
  say(
    `${String(Math.round(sample.atMs / 1000)).padStart(4)} s  live ${sample.liveMib.toFixed(1)} MiB  ` +
      `resident ${sample.rssMib.toFixed(1)} MiB  ${sample.handles} handles  ${JSON.stringify(counts)}`,
  )
  const which = turn % networks.length
  await networks[which].replace(Math.floor(turn / networks.length)).catch((error) => {
    failures.push(`${names[which]}: replacing a node: ${error.code ?? ''} ${error.message}`)
  })
  counts.replaced += 1
}
clearInterval(timer)
for (const network of networks) await network.check()
for (const network of networks) await network.close()
await pause(loadMs)

const judged = samples.filter(({ atMs }) => atMs > warmUpMs)
const isJudged = judged.length > 1 && judged.at(-1).atMs - judged[0].atMs >= minJudgedMs
const slope = isJudged ? slopePerMinute(judged, 'liveMib') : undefined
const rssSlope = isJudged ? slopePerMinute(judged, 'rssMib') : undefined
if (slope !== undefined && slope > maxMibPerMinute) {
  failures.push(`live memory grows by ${slope.toFixed(2)} MiB per minute`)
}
const half = Math.floor(samples.length / 2)
/** Dials and links come and go while a place is being filled again; what leaks lifts the middle. */
const middleOf = (list) =>
  list.map((one) => one.handles).sort((a, b) => a - b)[Math.floor(list.length / 2)]
const early = middleOf(samples.slice(0, half))
const late = middleOf(samples.slice(half))
if (half > 1 && late > early + maxHandleChange)
  failures.push(`handles grew from ${early} to ${late}`)
const left = handles() - handlesBefore
if (left > 0) failures.push(`${left} handles after close()`)
failures.push(...errors.map((text) => `error event: ${text}`))
for (const failure of failures.slice(0, 20)) say(failure)
const rounded = (value) => (value === undefined ? null : Math.round(value * 1_000) / 1_000)
process.stdout.write(
  `${JSON.stringify({
    ok: failures.length === 0,
    minutes: rounded(runMs / 60_000),
    ...counts,
    liveMibPerMinute: rounded(slope),
    residentMibPerMinute: rounded(rssSlope),
    handles: {
      early,
      late,
      most: Math.max(...samples.map((one) => one.handles)),
      afterClose: left,
    },
    errorEvents: errors.length,
    failures: failures.length,
  })}\n`,
)
process.stdout.write(
  failures.length === 0
    ? `soak: steady${isJudged ? '' : '; memory is judged in runs of more than 3 minutes'}\n`
    : `soak: ${failures.length} problems\n`,
)
process.exitCode = failures.length === 0 ? 0 : 1
