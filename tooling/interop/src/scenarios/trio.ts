/** Three nodes: who learns of whom, and what crosses a node in the middle. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { duplicateTitles, expectBroadcast } from '../exchange.ts'
import { loopbackHosts, withLab } from '../lab.ts'
import type { ProgramName, Programs } from '../lab.ts'

/**
 * Two of program `a` and one of program `b` in the middle, as two checks: listening, the outer two
 * learn of each other through the middle; not listening, they cannot, so broadcasts must cross it.
 */
export async function runTrio(programs: Programs, side: Side, checks: Checks): Promise<void> {
  const names = `${side.a}–${side.b}–${side.a}`
  const hosts = await loopbackHosts(3)
  const feature = `peers learned, ${names}`
  if (hosts === undefined) checks.skip(side, feature, 'needs several loopback addresses')
  else await runLearning(programs, side, checks, feature, hosts)
  // Only our nodes can be on the network without listening.
  if (side.a === 'p2p') await runChain(programs, side, checks, `chain ${names}`)
}

async function runLearning(
  programs: Programs,
  side: Side,
  checks: Checks,
  feature: string,
  hosts: readonly string[],
): Promise<void> {
  await withLab(programs, async (lab) => {
    const [left, middle, right] = await Promise.all([
      lab.start(side.a as ProgramName, { host: hosts[0] }),
      lab.start(side.b as ProgramName, { host: hosts[1] }),
      lab.start(side.a as ProgramName, { host: hosts[2] }),
    ])
    await checks.check(side, feature, async () => {
      await left.request('connect', { address: middle.address })
      await right.request('connect', { address: middle.address })
      await Promise.all([left.waitForPeer(right.id), right.waitForPeer(left.id)])
      return ''
    })
    await checks.check(side, `${feature}: broadcasts reach all`, async () => {
      const nodes = [left, middle, right]
      for (const from of nodes)
        await expectBroadcast(
          from,
          nodes.filter((node) => node !== from),
        )
      for (const node of nodes)
        expectThat(duplicateTitles(node).length === 0, `${node.name} got one twice`)
      return 'none twice'
    })
  })
}

async function runChain(
  programs: Programs,
  side: Side,
  checks: Checks,
  feature: string,
): Promise<void> {
  await withLab(programs, async (lab) => {
    const [left, middle, right] = await Promise.all([
      lab.start(side.a as ProgramName, { listen: [] }),
      lab.start(side.b as ProgramName),
      lab.start(side.a as ProgramName, { listen: [] }),
    ])
    await checks.check(side, feature, async () => {
      await left.request('connect', { address: middle.address })
      await right.request('connect', { address: middle.address })
      await Promise.all([middle.waitForPeer(left.id), middle.waitForPeer(right.id)])
      await expectBroadcast(left, [middle, right])
      await expectBroadcast(right, [middle, left])
      await expectBroadcast(middle, [left, right])
      for (const [node, other] of [
        [left, right],
        [right, left],
      ] as const) {
        const { peers } = await node.request('peers')
        const linked = Array.isArray(peers) && peers.includes(other.id)
        expectThat(!linked, 'the outer nodes found a link of their own')
      }
      return 'both directions and from the middle'
    })
  })
}
