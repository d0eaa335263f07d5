// What a peer that stops reading costs everybody else. Two nodes that cannot reach each other talk by
// way of a third, in a process of its own; a peer of that one stops reading while the talk goes on. The
// same talk goes on around another relay without such a peer, so that whatever else the machine does
// hits both alike. Prints how long it took until the peer was cut, and how the 99th percentile of the
// delivery time differs between the two: the median over all seconds of the ratio within each second.
// Each as a JSON line; status 1 over a budget.
//
//   node tooling/scripts/measure-stalled-reader.mjs
import { fork } from 'node:child_process'
import { connect } from 'node:net'
import { importBuilt } from './import-built.mjs'

const { createMessage, encodeFrame, networkId } = await importBuilt('serializer')
const { MeshNode } = await importBuilt('mesh')

const maxChange = 0.1
/** From the last byte it read. */
const maxCutMs = 30_000
const maxRounds = 3
const everyMs = 10
const padding = new Uint8Array(16_384)
const receiverCount = 3

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const say = (figure) => process.stdout.write(`${JSON.stringify(figure)}\n`)

if (process.argv[2] === 'relay') await relay()
else await measure()

async function relay() {
  const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
  node.on('peer:leave', ({ peer, reason }) => {
    // Whoever measures may end first; its channel then fails, and that is no fault of the relay.
    if (process.connected) process.send({ left: peer.id, code: reason.code }, () => undefined)
  })
  process.on('disconnect', () => process.exit())
  process.send({ address: node.addresses[0] })
}

/** Nodes around a relay in a process of its own. Nobody can dial them, so everything goes by way of it. */
async function openStar() {
  const child = fork(new URL(import.meta.url), ['relay'])
  const { address } = await new Promise((resolve) => child.once('message', resolve))
  const sender = await MeshNode.open({ connect: address })
  const receivers = await Promise.all(
    Array.from({ length: receiverCount }, () => MeshNode.open({ connect: address })),
  )
  /** Start of the second → delivery times. */
  const seconds = new Map()
  for (const receiver of receivers) {
    receiver.on('message', ({ packets: [sentMs] }) => {
      const second = Math.floor(sentMs / 1_000)
      const times = seconds.get(second) ?? []
      times.push(performance.now() - sentMs)
      seconds.set(second, times)
    })
  }
  const close = async () => {
    await Promise.all([sender, ...receivers].map((node) => node.close()))
    child.disconnect()
  }
  return { child, address, sender, seconds, close }
}

async function measure() {
  const stars = [await openStar(), await openStar()]
  const timer = setInterval(() => {
    for (const { sender } of stars) sender.broadcast(performance.now(), padding)
  }, everyMs)
  await pause(2_000)
  let best = Infinity
  let longestCutMs = 0
  for (let round = 0; round < maxRounds && best > 1 + maxChange; round += 1) {
    const [stalled, calm] = round % 2 === 0 ? stars : [...stars].reverse()
    for (const { seconds } of stars) seconds.clear()
    const { cutMs, code } = await stallOnce(stalled, round)
    const [during, beside] = [stalled, calm].map(p99OfSeconds)
    const ratios = [...during].flatMap(([second, p99]) => {
      const other = beside.get(second)
      return other === undefined ? [] : [p99 / other]
    })
    const ratio = median(ratios)
    longestCutMs = Math.max(longestCutMs, cutMs)
    best = Math.min(best, ratio)
    const p99 = {
      calmMs: rounded(median([...beside.values()])),
      stalledMs: rounded(median([...during.values()])),
    }
    const change = `${rounded((ratio - 1) * 100)} %`
    say({ figure: 'stalled reader', round, cutMs: Math.round(cutMs), code, ...p99, change })
  }
  clearInterval(timer)
  await Promise.all(stars.map((star) => star.close()))
  const ok = best <= 1 + maxChange && longestCutMs <= maxCutMs
  const change = `${rounded((best - 1) * 100)} %`
  say({ figure: 'stalled reader', change, budget: `${maxChange * 100} %`, maxCutMs, ok })
  process.exitCode = ok ? 0 : 1
}

/** Second → 99th percentile of its delivery times; without the first and the last, which are not whole. */
function p99OfSeconds({ seconds }) {
  const whole = [...seconds].sort(([a], [b]) => a - b).slice(1, -1)
  return new Map(
    whole.map(([second, times]) => [
      second,
      times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)],
    ]),
  )
}

/** A peer that shakes hands as py2p does and then reads nothing. Resolves when it has been cut. */
async function stallOnce({ child, address }, round) {
  const id = `Sta11ed${'123'[round]}`
  const network = networkId({ subnet: 'mesh', encryption: 'Plaintext' })
  const payload = [5, id, network, ['127.0.0.1', 9], []]
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(address).port) })
  socket.on('error', () => undefined)
  socket.pause()
  await new Promise((resolve) => socket.once('connect', resolve))
  const time = Math.floor(Date.now() / 1_000)
  socket.write(encodeFrame(createMessage({ type: 2, sender: id, time, payload })))
  const startedMs = performance.now()
  const code = await new Promise((resolve) => {
    const onMessage = (message) => {
      if (message.left !== id) return
      child.off('message', onMessage)
      resolve(message.code)
    }
    child.on('message', onMessage)
  })
  socket.destroy()
  return { cutMs: performance.now() - startedMs, code }
}

function median(values) {
  const sorted = values.sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Infinity
}

function rounded(value) {
  return Math.round(value * 100) / 100
}
