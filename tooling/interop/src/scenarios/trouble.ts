/** What goes wrong in real networks: links that come and go, crashes, both sides dialling at once. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { expectBroadcast } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { ProgramName, Programs } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'

const redialRounds = 20
const crossDialRounds = 10
/** Attempts at a message after both links of a crossing pair were lost. */
const maxRetries = 5

/** Connect, talk, disconnect, again and again between the same two nodes. */
export async function runRedials(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const a = await lab.start(side.a as ProgramName)
    const b = await lab.start(side.b as ProgramName)
    const [from, to] = side.dialler === 'a' ? [a, b] : [b, a]
    await checks.check(side, `${redialRounds} times connect, talk, disconnect`, async () => {
      for (let round = 0; round < redialRounds; round++) {
        const marks = [a.events.length, b.events.length] as const
        await from.request('connect', { address: to.address })
        await Promise.all([
          a.waitForPeer(b.id, { since: marks[0] }),
          b.waitForPeer(a.id, { since: marks[1] }),
        ])
        await expectBroadcast(a, [b])
        await expectBroadcast(b, [a])
        // Each side hangs up in turn.
        const [leaver, other] = round % 2 === 0 ? [a, b] : [b, a]
        await leaver.request('disconnect', { peer: other.id })
        await Promise.all([
          a.waitForLeave(b.id, { since: marks[0] }),
          b.waitForLeave(a.id, { since: marks[1] }),
        ])
      }
      return ''
    })
  })
}

/**
 * Both dial each other at the same moment; in the end there is one link and messages pass. The old
 * programs lose both links then. Ours gets over that by itself, others need somebody to dial again.
 */
export async function runCrossDials(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await checks.check(side, `${crossDialRounds} times both dial at once`, async () => {
    let retries = 0
    for (let round = 0; round < crossDialRounds; round++)
      await withLab(programs, async (lab) => {
        const a = await lab.start(side.a as ProgramName)
        const b = await lab.start(side.b as ProgramName)
        retries += await crossDial(a, b)
      })
    const ownOnly = side.a === 'p2p' && side.b === 'p2p'
    expectThat(!ownOnly || retries === 0, `${retries} messages fell into a gap`)
    return `${retries} messages fell into a gap`
  })
}

/** Resolves with how many attempts it took until a message passed each way. */
async function crossDial(a: NodeProcess, b: NodeProcess): Promise<number> {
  await Promise.allSettled([
    a.request('connect', { address: b.address, timeoutMs: 2_000 }),
    b.request('connect', { address: a.address, timeoutMs: 2_000 }),
  ])
  for (let retries = 0; ; retries++) {
    try {
      await expectBroadcast(a, [b], [], 2_000)
      await expectBroadcast(b, [a], [], 2_000)
      return retries
    } catch (error) {
      if (retries === maxRetries) throw error
      if (a.name === 'p2p') continue
      // The outcome shows in the next broadcast.
      await a.request('connect', { address: b.address, timeoutMs: 2_000 }).catch(() => undefined)
    }
  }
}

/** A process that dies without a word is noticed, and another can come. */
export async function runCrash(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const a = await lab.start(side.a as ProgramName)
    const b = await lab.start(side.b as ProgramName)
    const [from, to] = side.dialler === 'a' ? [a, b] : [b, a]
    await checks.check(side, 'crash of b seen, next b welcome', async () => {
      await from.request('connect', { address: to.address })
      await a.waitForPeer(b.id)
      await lab.crash(b)
      await a.waitForLeave(b.id)
      const next = await lab.start(side.b as ProgramName)
      await (side.dialler === 'a'
        ? a.request('connect', { address: next.address })
        : next.request('connect', { address: a.address }))
      await expectBroadcast(a, [next])
      await expectBroadcast(next, [a])
      return ''
    })
  })
}
