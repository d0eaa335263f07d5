/** Two nodes, one link: everything both must be able to do with each other. */
import { randomBytes } from 'node:crypto'
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { duplicateTitles, expectBroadcast, expectReply, expectWhisper } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { bytes, float, integer, list, map, nil, text } from '../tagged.ts'
import type { Tagged } from '../tagged.ts'

/** Methods by the number they have in the handshake. */
const methods = { zlib: 19, gzip: 17 } as const

const burstCount = 1_000
/** js2p needs seconds for a burst on an idle machine, and far more on a busy one. */
const burstTimeoutMs = 60_000

/** Values every program keeps apart. */
const plainValues: readonly Tagged[] = [
  nil,
  { t: 'bool', v: true },
  { t: 'bool', v: false },
  integer(-5),
  integer(2_147_483_647),
  integer(-2_147_483_648),
  float(1.5),
  text('日本 £ \u{1F600}'),
  bytes(Uint8Array.of(0, 255, 128)),
  bytes(new Uint8Array(255)),
  list(integer(1), text('x'), list()),
  map([text('k'), list(text('v'))]),
]

/** Values js2p cannot keep: it has only doubles. */
const wideValues: readonly Tagged[] = [
  float(1),
  float(-0),
  integer(2n ** 63n - 1n),
  integer(2n ** 64n - 1n),
  integer(-(2n ** 63n)),
  map([integer(1), text('int key')], [bytes(Uint8Array.of(7)), nil]),
]

interface Pair {
  readonly a: NodeProcess
  readonly b: NodeProcess
}

async function connectPair(pair: Pair, dialler: 'a' | 'b'): Promise<string> {
  const [from, to] = dialler === 'a' ? [pair.a, pair.b] : [pair.b, pair.a]
  const { peer, ms } = await from.request('connect', { address: to.address })
  expectThat(peer === to.id, `connect answered peer ${String(peer)}, expected ${to.id}`)
  await Promise.all([from.waitForPeer(to.id), to.waitForPeer(from.id)])
  return `${String(ms)} ms`
}

/** Runs every check of the pair with the default compression methods. */
export async function runPair(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const pair = await startPair(lab, side)
    if (!(await checks.check(side, 'connect', () => connectPair(pair, side.dialler)))) return
    await runMessages(pair, side, checks)
    await runSizes(pair, side, checks)
    await checks.check(side, 'nothing twice', async () => {
      for (const node of [pair.a, pair.b]) {
        const twice = duplicateTitles(node)
        expectThat(twice.length === 0, `${node.name} got ${twice.join(', ')} twice`)
      }
      return `${pair.a.messages.length + pair.b.messages.length} messages`
    })
    await checks.check(side, 'disconnect seen', async () => {
      await pair.a.request('close')
      await pair.b.waitForLeave(pair.a.id)
      return ''
    })
  })
}

async function startPair(
  lab: Lab,
  side: Side,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Pair> {
  const [a, b] = await Promise.all([
    lab.start(side.a as ProgramName, options),
    lab.start(side.b as ProgramName, options),
  ])
  return { a, b }
}

async function runMessages({ a, b }: Pair, side: Side, checks: Checks): Promise<void> {
  for (const [from, to, arrow] of [
    [a, b, 'a to b'],
    [b, a, 'b to a'],
  ] as const) {
    let id: string | undefined
    await checks.check(side, `broadcast ${arrow}`, async () => {
      const sent = await expectBroadcast(from, [to], [integer(1), text('second')])
      id = sent.id
      return `${sent.ms.toFixed(1)} ms`
    })
    await checks.check(side, `reply to ${arrow}`, () => {
      expectThat(id !== undefined, 'nothing to reply to')
      return expectReply(to, from, id)
    })
    await checks.check(side, `whisper ${arrow}`, () => expectWhisper(from, to))
    await checks.check(side, `plain values ${arrow}`, async () => {
      await expectBroadcast(from, [to], plainValues)
      return `${plainValues.length} values`
    })
    if (side.a !== 'js2p' && side.b !== 'js2p')
      await checks.check(side, `wide values ${arrow}`, async () => {
        await expectBroadcast(from, [to], wideValues)
        return `${wideValues.length} values`
      })
  }
}

async function runSizes({ a, b }: Pair, side: Side, checks: Checks): Promise<void> {
  for (const [from, to, arrow] of [
    [a, b, 'a to b'],
    [b, a, 'b to a'],
  ] as const) {
    await checks.check(side, `1 MiB that compresses ${arrow}`, async () => {
      const sent = await expectBroadcast(from, [to], [text('0123456789abcdef'.repeat(65_536))])
      return `${sent.ms.toFixed(1)} ms`
    })
    await checks.check(side, `1 MiB of noise ${arrow}`, async () => {
      const sent = await expectBroadcast(from, [to], [bytes(randomBytes(1_048_576))])
      return `${sent.ms.toFixed(1)} ms`
    })
  }
}

/** Many messages at once, each direction on a link of its own. */
export async function runBursts(programs: Programs, side: Side, checks: Checks): Promise<void> {
  for (const direction of ['a to b', 'b to a'] as const)
    await withLab(programs, async (lab) => {
      const pair = await startPair(lab, side)
      const [from, to] = direction === 'a to b' ? [pair.a, pair.b] : [pair.b, pair.a]
      await checks.check(side, `burst of ${burstCount} ${direction}`, async () => {
        await connectPair(pair, side.dialler)
        const started = performance.now()
        // Sizes run through all remainders of py2p's read size; noise, so that they stay what they are.
        const sizes = Array.from({ length: burstCount }, (_, index) => 40 + ((index * 37) % 1_100))
        const sent = sizes.map((size) =>
          expectBroadcast(from, [to], [bytes(randomBytes(size))], burstTimeoutMs),
        )
        await Promise.all(sent)
        expectThat(duplicateTitles(to).length === 0, 'some came twice')
        return `${(performance.now() - started).toFixed(0)} ms`
      })
    })
}

/** One link per compression method, and one without. */
export async function runMethods(programs: Programs, side: Side, checks: Checks): Promise<void> {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['no compression', []],
    ['zlib', [methods.zlib]],
    ['gzip', [methods.gzip]],
  ]
  for (const [name, compression] of cases)
    await withLab(programs, async (lab) => {
      const pair = await startPair(lab, side, { compression })
      await checks.check(side, `broadcasts with ${name}`, async () => {
        await connectPair(pair, side.dialler)
        const long = [text('long enough to be worth compressing '.repeat(40))]
        await expectBroadcast(pair.a, [pair.b], long)
        await expectBroadcast(pair.b, [pair.a], long)
        return ''
      })
    })
}

/** A dial to another subnet fails with a code, and neither side keeps a peer. */
export async function runWrongSubnet(
  programs: Programs,
  side: Side,
  checks: Checks,
): Promise<void> {
  await withLab(programs, async (lab) => {
    const a = await lab.start(side.a as ProgramName)
    const b = await lab.start(side.b as ProgramName, { subnet: 'elsewhere' })
    const [from, to] = side.dialler === 'a' ? [a, b] : [b, a]
    await checks.check(side, 'wrong subnet refused', async () => {
      const outcome = await from
        .request('connect', { address: to.address, timeoutMs: 2_000 })
        .then(() => undefined)
        .catch((error: unknown) => error as { readonly code: string })
      expectThat(outcome !== undefined, 'connect said yes')
      for (const node of [a, b]) {
        const { peers } = await node.request('peers')
        expectThat(Array.isArray(peers) && peers.length === 0, `${node.name} kept a peer`)
      }
      return outcome.code
    })
  })
}
