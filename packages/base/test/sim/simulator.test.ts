import { expect, test } from '@jest/globals'
import { SimulationError, Simulator, scriptedPeer } from '../../src/sim/index.ts'
import type { NetworkConditions, SimNode } from '../../src/sim/index.ts'
import { FloodMachine } from './flood-machine.ts'
import type { FloodCommand, FloodEvent } from './flood-machine.ts'

type FloodNode = SimNode<FloodCommand, FloodEvent>

interface World {
  readonly sim: Simulator
  readonly nodes: readonly FloodNode[]
  /** What each node told, as `[name, event, at ms]`. */
  readonly told: [string, FloodEvent, number][]
}

/** A ring with chords: node i dials i − 1 and some lower ones, and again after every start. */
function flood(count: number, seed: number, conditions: Partial<NetworkConditions> = {}): World {
  const sim = new Simulator({ seed, conditions })
  const told: World['told'] = []
  const nodes: FloodNode[] = []
  for (let index = 0; index < count; index += 1) {
    const others = nodes.filter((_, other) => other === index - 1 || sim.random.chance(3 / count))
    nodes.push(
      sim.addNode<FloodCommand, FloodEvent>({
        create: () => new FloodMachine(),
        onStart: (node) => {
          for (const other of others) {
            node.command({ type: 'connect', address: String(other.addresses[0]) })
          }
        },
        onEffect: (effect, node) => told.push([node.name, effect, sim.nowMs]),
      }),
    )
  }
  return { sim, nodes, told }
}

const delivered = (world: World, number: number): string[] =>
  world.told.flatMap(([name, event]) =>
    event.type === 'delivered' && event.number === number ? [name] : [],
  )

const events = (world: World, name: string): string[] =>
  world.told.flatMap(([told, event]) => (told === name ? [JSON.stringify(event)] : []))

const calm = { minLatencyMs: 20, maxLatencyMs: 20, splitChance: 0 }

test('1,000 nodes all get a broadcast, once, and the same seed gives the same trace hash', () => {
  const run = (seed: number): { reached: string[]; hash: string } => {
    const world = flood(1_000, seed)
    world.sim.runFor(2_000)
    world.nodes[17]?.command({ type: 'broadcast', number: 99 })
    world.sim.runFor(10_000)
    return { reached: delivered(world, 99), hash: world.sim.traceHash() }
  }
  const first = run(1)
  expect(first.reached).toHaveLength(999)
  expect(new Set(first.reached).size).toBe(999)
  expect(run(1).hash).toBe(first.hash)
  expect(run(2).hash).not.toBe(first.hash)
})

test('a dial takes one round trip and bytes take one latency', () => {
  const world = flood(2, 1, calm)
  world.sim.runFor(100)
  expect(world.told).toEqual([
    ['n0', { type: 'joined' }, 20],
    ['n1', { type: 'joined' }, 40],
  ])
  world.nodes[0]?.command({ type: 'broadcast', number: 5 })
  world.sim.runFor(100)
  expect(world.told.at(-1)).toEqual(['n1', { type: 'delivered', number: 5 }, 120])
})

test('bytes arrive whole and in order however often writes are cut', () => {
  const world = flood(2, 3, { splitChance: 1, jitterMs: 50 })
  world.sim.runFor(1_000)
  for (let number = 1; number <= 200; number += 1) {
    world.nodes[0]?.command({ type: 'broadcast', number })
  }
  world.sim.runFor(10_000)
  const numbers = world.told.flatMap(([, event]) =>
    event.type === 'delivered' ? [event.number] : [],
  )
  expect(numbers).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
})

test('a dial to nobody is refused, one to a silent address times out', () => {
  const sim = new Simulator({ seed: 1, conditions: calm })
  const codes: [string, number][] = []
  const node = sim.addNode<FloodCommand, FloodEvent>({
    create: () => new FloodMachine(),
    onEffect: (effect) => {
      if (effect.type === 'dial-lost') codes.push([effect.code, sim.nowMs])
    },
  })
  node.command({ type: 'connect', address: 'tcp://203.0.113.1:4444' })
  sim.runFor(2_000)
  sim.network.conditions = { ...sim.network.conditions, unknownAddress: 'silent' }
  node.command({ type: 'connect', address: 'tcp://203.0.113.1:4444' })
  sim.runFor(2_000)
  expect(codes).toEqual([
    ['P2P_CONNECTION_REFUSED', 40],
    ['P2P_DIAL_TIMEOUT', 3_000],
  ])
})

test('a partition holds bytes back and loses none; dials across it are silent', () => {
  const world = flood(3, 1, calm)
  const [one, two, three] = world.nodes as [FloodNode, FloodNode, FloodNode]
  world.sim.runFor(1_000)
  world.sim.partition([[one], [two, three]], 10_000)
  one.command({ type: 'broadcast', number: 5 })
  one.command({ type: 'connect', address: String(three.addresses[0]) })
  world.sim.runFor(9_000)
  expect(delivered(world, 5)).toEqual([])
  expect(events(world, 'n0').at(-1)).toBe('{"type":"dial-lost","code":"P2P_DIAL_TIMEOUT"}')
  world.sim.runFor(2_000)
  expect(delivered(world, 5).sort()).toEqual(['n1', 'n2'])
})

test('a one-way partition lets the other direction through', () => {
  const world = flood(2, 1, calm)
  const [one, two] = world.nodes as [FloodNode, FloodNode]
  world.sim.runFor(1_000)
  const cut = world.sim.partitionOneWay([one], [two])
  one.command({ type: 'broadcast', number: 1 })
  two.command({ type: 'broadcast', number: 2 })
  world.sim.runFor(1_000)
  expect([delivered(world, 1), delivered(world, 2)]).toEqual([[], ['n0']])
  cut.heal()
  world.sim.runFor(1_000)
  expect(delivered(world, 1)).toEqual(['n1'])
})

test('the peers of a crashed node see its links end, and it dials again when it starts again', () => {
  const world = flood(2, 1, calm)
  const [, two] = world.nodes as [FloodNode, FloodNode]
  world.sim.runFor(1_000)
  two.crash()
  world.sim.runFor(1_000)
  expect(events(world, 'n0').at(-1)).toBe('{"type":"left","code":"P2P_LINK_LOST"}')
  two.restart()
  world.sim.runFor(1_000)
  expect(events(world, 'n0').at(-1)).toBe('{"type":"joined"}')
})

test('nobody hears of a silent crash until the machine is back and answers with a reset', () => {
  const world = flood(2, 1, calm)
  const [one, two] = world.nodes as [FloodNode, FloodNode]
  world.sim.runFor(1_000)
  two.crash({ silent: true })
  one.command({ type: 'broadcast', number: 1 })
  world.sim.runFor(600_000)
  expect(events(world, 'n0')).toEqual(['{"type":"joined"}'])
  two.restart()
  world.sim.runFor(1_000)
  expect(events(world, 'n0')).toContain('{"type":"left","code":"P2P_LINK_LOST"}')
})

test('a store survives a crash unless the crash takes it', () => {
  const sim = new Simulator({ seed: 1 })
  const sizes: number[] = []
  const node = sim.addNode({
    create: (boot) => {
      sizes.push(boot.store.size)
      boot.store.set(`start ${boot.restarts}`, new Uint8Array(1))
      return new FloodMachine()
    },
  })
  node.crash()
  node.restart()
  node.crash({ keepStore: false })
  node.restart()
  expect(sizes).toEqual([0, 1, 0])
})

test('a paused node does nothing, and catches up in order afterwards', () => {
  const world = flood(2, 1, calm)
  const [one, two] = world.nodes as [FloodNode, FloodNode]
  world.sim.runFor(1_000)
  two.command({ type: 'remind', afterMs: 500 })
  two.pause(5_000)
  one.command({ type: 'broadcast', number: 1 })
  two.command({ type: 'broadcast', number: 2 })
  world.sim.runFor(4_900)
  expect(delivered(world, 1)).toEqual([])
  world.sim.runFor(200)
  expect(delivered(world, 1)).toEqual(['n1'])
  expect(delivered(world, 2)).toEqual(['n0'])
  const reminded = world.told.find(([, event]) => event.type === 'reminded')
  expect(reminded?.[2]).toBe(6_000)
})

test('a slow reader fills the pipe, then the queue of the sender, and the link is cut', () => {
  const world = flood(2, 1, { ...calm, windowBytes: 1_000 })
  const [one, two] = world.nodes as [FloodNode, FloodNode]
  world.sim.runFor(1_000)
  two.receiveBytesPerSecond = 1
  for (let number = 1; number <= 1_000; number += 1) one.command({ type: 'broadcast', number })
  world.sim.runFor(1_000)
  const [end] = one.links.values()
  expect(end?.pipeBytes).toBeGreaterThan(900)
  expect(end?.queuedBytes).toBeGreaterThan(2_000)
  two.pause(120_000)
  world.sim.runFor(60_000)
  expect(events(world, 'n0').at(-1)).toBe('{"type":"left","code":"P2P_LINK_STALLED"}')
})

test('a broken link ends at both nodes', () => {
  const world = flood(2, 1, calm)
  world.sim.runFor(1_000)
  world.sim.network.openLinks()[0]?.reset()
  world.sim.runFor(1_000)
  expect(events(world, 'n0').at(-1)).toBe('{"type":"left","code":"P2P_LINK_LOST"}')
  expect(events(world, 'n1').at(-1)).toBe('{"type":"left","code":"P2P_LINK_LOST"}')
  expect(world.sim.network.openLinks()).toEqual([])
})

test('every node has its own UTC clock, and jumps show at once', () => {
  const sim = new Simulator({ seed: 1, utcStartSeconds: 1_000 })
  const seen: number[] = []
  const node = sim.addNode<FloodCommand, FloodEvent>({
    utcOffsetSeconds: -120,
    create: () => new FloodMachine(),
    onEffect: (effect) => {
      if (effect.type === 'reminded') seen.push(effect.utcSeconds)
    },
  })
  node.command({ type: 'remind', afterMs: 1_000 })
  sim.runFor(1_000)
  node.utcOffsetSeconds = 60
  node.command({ type: 'remind', afterMs: 1_000 })
  sim.runFor(1_000)
  expect(seen).toEqual([881, 1_062])
})

test('a broken invariant ends the run with the seed and the last events of the node', () => {
  const world = flood(2, 42, calm)
  world.sim.addInvariant({
    name: 'no-thirteen',
    afterTurn: (node) =>
      delivered(world, 13).includes(node.name) ? 'thirteen was delivered' : undefined,
  })
  world.sim.runFor(1_000)
  world.nodes[0]?.command({ type: 'broadcast', number: 13 })
  const run = (): void => world.sim.runFor(1_000)
  expect(run).toThrow(SimulationError)
  expect(world.sim.checks.get('no-thirteen')).toBeGreaterThan(2)
  try {
    world.nodes[1]?.crash()
    world.nodes[1]?.restart()
    world.sim.runFor(1_000)
  } catch (error) {
    const { seed, invariant, node, message } = error as SimulationError
    expect({ seed, invariant, node }).toEqual({ seed: 42, invariant: 'no-thirteen', node: 'n1' })
    expect(message).toContain('→ link-bytes link=1 bytes=4:0000000d')
    return
  }
  throw new Error('the invariant stayed broken, so the second run must fail too')
})

test('a machine that throws, and one whose deadline never moves, are reported', () => {
  const throwing = new Simulator({ seed: 1 })
  const node = throwing.addNode({
    create: () => ({
      nextDeadline: () => Infinity,
      handle: () => {
        throw new Error('oh')
      },
    }),
  })
  expect(() => node.command({ type: 'anything' })).toThrow(/handle-never-throws.*oh/)
  const stuck = new Simulator({ seed: 1 })
  stuck.addNode({ create: () => ({ nextDeadline: () => 0, handle: () => [] }) })
  expect(() => stuck.runFor(1)).toThrow(/deadlines-advance/)
})

test('a scripted peer speaks raw bytes', () => {
  const sim = new Simulator({ seed: 1, conditions: calm })
  const seen: number[] = []
  const victim = sim.addNode<FloodCommand, FloodEvent>({
    create: () => new FloodMachine(),
    onEffect: (effect) => {
      if (effect.type === 'delivered') seen.push(effect.number)
    },
  })
  sim.addNode({
    listen: [],
    ...scriptedPeer({
      onStart: (hands) => hands.dial(String(victim.addresses[0])),
      onOpen: (link, hands) => hands.wakeAfter(100 + link),
      onWake: (hands) => hands.send(1, new Uint8Array([0, 0, 0, 77])),
    }),
  })
  sim.runFor(1_000)
  expect(seen).toEqual([77])
})
