/**
 * Nodes that know nothing but a seed find each other (spec/chord.md §9): a seed of ours serves theirs, and
 * one of theirs serves ours.
 */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { expectBroadcast } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'

export async function runBootstrap(programs: Programs, side: Side, checks: Checks): Promise<void> {
  for (const program of new Set([side.a, side.b])) {
    await withLab(programs, async (lab) => {
      const seed = await startSeed(lab, program as ProgramName)
      await checks.check(side, `seed of ${program}: a and b find each other`, async () => {
        const a = await lab.start('p2p')
        await a.request('bootstrap', { seeds: [seed.address] })
        const b = await startListed(lab, side.b as ProgramName, { seed, other: a })
        await Promise.all([a.waitForPeer(b.id), b.waitForPeer(a.id)])
        await expectBroadcast(a, [b])
        // The seed learned of b too, so that one who comes later finds both.
        const c = await lab.start('p2p')
        const { listed } = await c.request('bootstrap', { seeds: [seed.address] })
        expectThat(listed === 2, `${String(listed)} of 2 are listed`)
        await c.waitForPeer(b.id)
        return ''
      })
    })
  }
}

async function startSeed(lab: Lab, program: ProgramName): Promise<NodeProcess> {
  const seed = await lab.start(program, { kind: 'chord', subnet: 'bootstrap' })
  await seed.request('join')
  return seed
}

/**
 * py2p asks a seed when it has its handshake, in another thread than the one that reads; when that is before it has read
 * that the seed stores, one time in twenty, it lists itself nowhere. Such a one is started again.
 */
const starts = 3
const meetsWithinMs = 5_000

async function startListed(
  lab: Lab,
  program: ProgramName,
  { seed, other }: { readonly seed: NodeProcess; readonly other: NodeProcess },
): Promise<NodeProcess> {
  const seeds = [seed.address]
  if (program !== 'py2p') {
    const node = await lab.start(program)
    await node.request('bootstrap', { seeds })
    return node
  }
  for (let left = starts; ; left -= 1) {
    const node = await lab.start('py2p', { seeds })
    if (left === 1) return node
    try {
      await node.waitForPeer(other.id, { timeoutMs: meetsWithinMs })
      return node
    } catch {
      await node.stop()
    }
  }
}
