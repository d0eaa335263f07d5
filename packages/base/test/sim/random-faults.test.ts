import { expect, test } from '@jest/globals'
import { Simulator, allFaultKinds, startFaults } from '../../src/sim/index.ts'
import type { FaultKind, SimNode } from '../../src/sim/index.ts'
import { FloodMachine } from './flood-machine.ts'
import type { FloodCommand, FloodEvent } from './flood-machine.ts'

interface Run {
  readonly sim: Simulator
  readonly nodes: readonly SimNode<FloodCommand, FloodEvent>[]
  readonly counts: ReadonlyMap<FaultKind, number>
}

/** Ten nodes that reconnect when they lose a link, and faults for ten minutes. */
function faulty(seed: number, kinds: readonly FaultKind[] = allFaultKinds): Run {
  const sim = new Simulator({ seed })
  const nodes: SimNode<FloodCommand, FloodEvent>[] = []
  for (let index = 0; index < 10; index += 1) {
    const others = nodes.slice(-3)
    const connect = (node: SimNode<FloodCommand, FloodEvent>): void => {
      if (node.links.size >= others.length) return
      for (const other of others) {
        node.command({ type: 'connect', address: String(other.addresses[0]) })
      }
    }
    nodes.push(
      sim.addNode<FloodCommand, FloodEvent>({
        create: () => new FloodMachine(),
        onStart: connect,
        onEffect: (effect, node) => {
          if (effect.type === 'left') sim.after(1_000, () => connect(node))
        },
      }),
    )
  }
  const counts = startFaults(sim, {
    kinds,
    meanIntervalMs: 2_000,
    minDurationMs: 100,
    maxDurationMs: 30_000,
    untilMs: 600_000,
  })
  let number = 0
  while (sim.nowMs < 600_000) {
    sim.runFor(1_000)
    const sender = nodes[number % nodes.length]
    number += 1
    sender?.command({ type: 'broadcast', number })
  }
  return { sim, nodes, counts }
}

test('all kinds of faults happen, and all of them are over in time', () => {
  const { sim, nodes, counts } = faulty(1)
  expect([...counts.keys()].sort()).toEqual([...allFaultKinds].sort())
  expect(nodes.every(({ isUp, isPaused }) => isUp && !isPaused)).toBe(true)
  expect(nodes.every((node) => node.receiveBytesPerSecond === Infinity)).toBe(true)
  expect(nodes.every((node) => node.utcOffsetSeconds === 0)).toBe(true)
  const [one, two] = nodes
  expect(one !== undefined && two !== undefined && sim.network.isBlocked(one, two)).toBe(false)
  expect(sim.network.conditions).toMatchObject({ refuseChance: 0, silenceChance: 0 })
})

test('the same seed breaks the same things at the same times', () => {
  const hash = faulty(3).sim.traceHash()
  expect(faulty(3).sim.traceHash()).toBe(hash)
  expect(faulty(4).sim.traceHash()).not.toBe(hash)
})

test('only the kinds that were asked for happen', () => {
  const { counts, nodes } = faulty(2, ['link-loss'])
  expect([...counts.keys()]).toEqual(['link-loss'])
  expect(nodes.every(({ restarts }) => restarts === 0)).toBe(true)
  expect(() => faulty(2, [])).toThrow(RangeError)
})
