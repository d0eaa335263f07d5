// What hostile frames cost until they are refused, each in a process of its own: code, time, and how much
// the peak of its memory grew. Prints one JSON line each; exits 1 when a code, time or memory is wrong.
// Those through the portable zlib, which browsers use, are marked so and measured the same.
//
//   pnpm build && node scripts/measure-bombs.mjs
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { deflateSync } from 'node:zlib'

const budgetMs = 100
const budgetMib = 48
const mebibyte = 2 ** 20
const from = (path) => import(new URL(`../dist/${path}`, import.meta.url).href)

const framed = (block) => {
  const frame = new Uint8Array(4 + block.length)
  new DataView(frame.buffer).setUint32(0, block.length)
  frame.set(block, 4)
  return frame
}
const frameOf = (body) => framed(Buffer.concat([createHash('sha256').update(body).digest(), body]))
const gibibyteOfZeros = () => new Uint8Array(deflateSync(Buffer.alloc(1024 * mebibyte)))

const bomb = () => new Uint8Array(deflateSync(Buffer.alloc(1024 * mebibyte)))
const header = Buffer.from('9400a26d65ce59682f00', 'hex')

/** The input, the code that refuses it, and what is fed. */
const cases = {
  'zlib, 1 MiB to 1 GiB': [() => framed(bomb()), 'P2P_INFLATED_TOO_LARGE', decode],
  'zlib, 1 MiB to 1 GiB, portable': [bomb, 'P2P_INFLATED_TOO_LARGE', inflatePortably],
  '5 MB of nested arrays': [
    () => frameOf(Buffer.concat([header, Buffer.alloc(5_000_000, 0x91)])),
    'P2P_MSGPACK_TOO_DEEP',
    decode,
  ],
  'a map of 4,294,967,295 entries': [
    () => frameOf(Buffer.concat([header, Buffer.from('dfffffffff', 'hex')])),
    'P2P_MSGPACK_TRUNCATED',
    decode,
  ],
}

async function decode(frame) {
  const { decodeFrame } = await from('index.js')
  return () => {
    try {
      return `taken, ${decodeFrame(frame).payload.length} values`
    } catch (error) {
      return error.code ?? String(error)
    }
  }
}

async function inflatePortably(block) {
  const { inflateZlib } = await from('platform/zlib-portable.js')
  return () => {
    const { type } = inflateZlib(block, 32 * mebibyte)
    return type === 'too-large' ? 'P2P_INFLATED_TOO_LARGE' : type
  }
}

/** In the process that is measured: the input comes from stdin, so making it costs nothing here. */
async function measure(name) {
  const refuse = await cases[name][2](new Uint8Array(readFileSync(0)))
  const before = process.resourceUsage().maxRSS / 1024
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const code = refuse()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  const mib = process.resourceUsage().maxRSS / 1024 - before
  process.stdout.write(JSON.stringify({ code, ms, cpuMs: (user + system) / 1000, mib }))
}

const chosen = process.argv[2]
if (chosen !== undefined) await measure(chosen)
else {
  for (const [name, [make, expected]] of Object.entries(cases)) {
    const args = [fileURLToPath(import.meta.url), name]
    const printed = execFileSync(process.execPath, args, { encoding: 'utf8', input: make() })
    const { code, ms, cpuMs, mib } = JSON.parse(printed)
    // On a busy machine the wall clock measures the others: processor time counts when it is less.
    const ok = code === expected && Math.min(ms, cpuMs) < budgetMs && mib < budgetMib
    const rounded = { ms: Math.round(ms), cpuMs: Math.round(cpuMs), mib: Math.round(mib) }
    process.stdout.write(
      `${JSON.stringify({ measure: 'bombs', case: name, code, ...rounded, ok })}\n`,
    )
    if (!ok) process.exitCode = 1
  }
}
