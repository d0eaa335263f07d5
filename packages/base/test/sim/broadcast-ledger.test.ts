import { expect, test } from '@jest/globals'
import { BroadcastLedger, SimulationError, Simulator } from '../../src/sim/index.ts'
import type { SimNode } from '../../src/sim/index.ts'
import { FloodMachine } from './flood-machine.ts'
import type { FloodCommand, FloodEvent } from './flood-machine.ts'

type FloodNode = SimNode<FloodCommand, FloodEvent>

/** A chain of nodes 20 ms apart, all telling the ledger. */
function chain(count: number): {
  readonly sim: Simulator
  readonly ledger: BroadcastLedger
  readonly nodes: readonly FloodNode[]
} {
  const conditions = { minLatencyMs: 20, maxLatencyMs: 20, splitChance: 0 }
  const sim = new Simulator({ seed: 1, conditions })
  const ledger = new BroadcastLedger(sim, { measuresFlooding: true })
  const nodes: FloodNode[] = []
  for (let index = 0; index < count; index += 1) {
    const before = nodes.at(-1)
    nodes.push(
      sim.addNode<FloodCommand, FloodEvent>({
        create: () => new FloodMachine(),
        onStart: (node) => {
          if (before === undefined) return
          node.command({ type: 'connect', address: String(before.addresses[0]) })
        },
        onEffect: (effect, node) => {
          if (effect.type === 'delivered') ledger.delivered(String(effect.number), node)
        },
      }),
    )
  }
  sim.runFor(1_000)
  return { sim, ledger, nodes }
}

test('it counts deliveries, and compares them with the fastest possible flood', () => {
  const { sim, ledger, nodes } = chain(4)
  ledger.sent('7', nodes[0] as FloodNode)
  nodes[0]?.command({ type: 'broadcast', number: 7 })
  sim.runFor(1_000)
  const totals = { broadcasts: 1, expected: 3, delivered: 3, duplicates: 0, lost: 0 }
  expect(ledger.totals()).toEqual(totals)
  expect(ledger.deliveryTimesMs()).toEqual([20, 40, 60])
  expect(ledger.floodTimesMs()).toEqual([20, 40, 60])
  expect(ledger.reachesAll.atRest?.(sim)).toBeUndefined()
})

test('hops are counted along the links that brought the copies', () => {
  const { ledger, nodes } = chain(3)
  const [one, two, three] = nodes as [FloodNode, FloodNode, FloodNode]
  const linkTo = (node: FloodNode, other: FloodNode): number | undefined =>
    [...node.links.values()].find((end) => end.other.owner === other)?.link
  ledger.sent('7', one)
  ledger.delivered('7', two, linkTo(two, one))
  ledger.delivered('7', three, linkTo(three, two))
  expect(ledger.hops()).toEqual([1, 2])
})

test('a node that lacks a message breaks reachesAll, one that was started since does not', () => {
  const { sim, ledger, nodes } = chain(3)
  const [one, , three] = nodes as [FloodNode, FloodNode, FloodNode]
  sim.isolate(three)
  ledger.sent('7', one)
  one.command({ type: 'broadcast', number: 7 })
  sim.runFor(1_000)
  expect(ledger.totals().lost).toBe(1)
  expect(ledger.reachesAll.atRest?.(sim)?.detail).toContain('n2')
  three.crash()
  three.restart()
  expect(ledger.totals().lost).toBe(0)
  expect(ledger.reachesAll.atRest?.(sim)).toBeUndefined()
})

test('a second delivery in one life of a process breaks atMostOnce, one after a restart does not', () => {
  const { sim, ledger, nodes } = chain(2)
  const [one, two] = nodes as [FloodNode, FloodNode]
  sim.addInvariant(ledger.atMostOnce)
  ledger.sent('7', one)
  ledger.delivered('7', two)
  two.crash()
  two.restart()
  ledger.delivered('7', two)
  sim.runFor(1_000)
  ledger.delivered('7', two)
  expect(ledger.totals().duplicates).toBe(1)
  expect(() => two.command({ type: 'broadcast', number: 1 })).toThrow(SimulationError)
})

test('messages that were never announced are not counted', () => {
  const { ledger, nodes } = chain(1)
  expect(ledger.delivered('9', nodes[0] as FloodNode)).toBe(false)
  ledger.sent('9', nodes[0] as FloodNode)
  expect(() => ledger.sent('9', nodes[0] as FloodNode)).toThrow(RangeError)
})

test('excused messages leave the figures, but still must not come twice', () => {
  const { sim, ledger, nodes } = chain(2)
  const [one, two] = nodes as [FloodNode, FloodNode]
  sim.isolate(two)
  ledger.sent('9', one)
  ledger.excuseAll()
  expect(ledger.totals()).toMatchObject({ broadcasts: 0, expected: 0, lost: 0 })
  expect(ledger.reachesAll.atRest?.(sim)).toBeUndefined()
  ledger.delivered('9', two)
  ledger.delivered('9', two)
  expect(ledger.atMostOnce.afterTurn?.(two, sim)).toContain('twice to n1')
})
