/**
 * A peer's process is killed, or stands still, and comes back: its neighbour of ours notices within the
 * stated time, says why, and is connected again without anybody telling it to.
 */
import { defaultLimits } from '@p2p/base'
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { expectBroadcast } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { ProgramName, Programs } from '../lab.ts'
import type { NodeEvent, NodeProcess } from '../node-process.ts'

/** The operating system tells of the end of a process at once; a busy machine gets a little longer. */
const deathNoticedMs = 2_000
/** Silence is noticed by heartbeats between our own nodes. */
const silenceNoticedMs =
  defaultLimits.heartbeatIntervalMs + defaultLimits.heartbeatTimeoutMs + deathNoticedMs
/** Redials pause ever longer, up to a minute. */
const connectedAgainMs = 90_000

/** `a` is ours and was given the address of `b` when it was opened, and nothing else. */
export async function runRestart(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const b = await lab.start(side.b as ProgramName)
    const a = await lab.start('p2p', { connect: [b.address] })
    await checks.check(side, 'b killed: noticed; restarted: connected again', async () => {
      // The first link comes while the node opens, before its events are told.
      await b.waitForPeer(a.id)
      const since = a.events.length
      const killedMs = performance.now()
      await lab.crash(b)
      const noticed = await noticedAfter(a, b, { since, killedMs, withinMs: deathNoticedMs })
      const port = Number(new URL(b.address).port)
      const restartedMs = performance.now()
      const next = await lab.start(side.b as ProgramName, { port })
      await a.waitForPeer(next.id, { since, timeoutMs: connectedAgainMs })
      const again = performance.now() - restartedMs
      await expectBroadcast(a, [next])
      await expectBroadcast(next, [a])
      return `${noticed}; connected ${again.toFixed(0)} ms after the restart began`
    })
  })
  if (side.b === 'p2p') await runFreeze(programs, side, checks)
}

/** A process that neither runs nor ends: nothing but its silence tells. */
async function runFreeze(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const b = await lab.start('p2p')
    const a = await lab.start('p2p', { connect: [b.address] })
    await checks.check(side, 'b frozen: noticed; running again: connected again', async () => {
      // The first link comes while the node opens, before its events are told.
      await b.waitForPeer(a.id)
      const since = a.events.length
      const killedMs = performance.now()
      b.freeze()
      try {
        return await noticedAfter(a, b, { since, killedMs, withinMs: silenceNoticedMs })
      } finally {
        b.thaw()
        await a.waitForPeer(b.id, { since, timeoutMs: connectedAgainMs })
      }
    })
  })
}

async function noticedAfter(
  node: NodeProcess,
  lost: NodeProcess,
  when: { readonly since: number; readonly killedMs: number; readonly withinMs: number },
): Promise<string> {
  const { since, killedMs, withinMs } = when
  const isLeave = ({ ev, id }: NodeEvent): boolean => ev === 'peer_leave' && id === lost.id
  const timeoutMs = withinMs + 10_000
  const { reason } = await node.waitFor('peer_leave', isLeave, { since, timeoutMs })
  const ms = performance.now() - killedMs
  expectThat(ms <= withinMs, `noticed after ${ms.toFixed(0)} ms, promised within ${withinMs} ms`)
  expectThat(typeof reason === 'string' && reason.startsWith('P2P_'), 'no reason was given')
  return `noticed after ${ms.toFixed(0)} ms: ${reason}`
}
