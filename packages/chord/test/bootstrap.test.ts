import { MeshNode } from '@p2p/mesh'
import type { Mesh } from '@p2p/mesh'
import { networkId } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { afterEach, expect, jest, test } from '@jest/globals'
import { ChordNode, bootstrap, seedSubnet } from '../src/index.ts'
import type { Key } from '../src/index.ts'

const nodes: Mesh[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

function kept<Node extends Mesh>(node: Node): Node {
  nodes.push(node)
  return node
}

const listen = 'tcp://127.0.0.1:0'

async function openSeed(connect: readonly string[] = []): Promise<ChordNode> {
  return kept(await ChordNode.open({ subnet: seedSubnet, listen, connect, join: true }))
}

const meshKey = networkId({ subnet: 'mesh', encryption: 'Plaintext' })

test('nodes that know nothing but a seed find each other, those of each network its own', async () => {
  const first = await openSeed()
  const second = await openSeed(first.addresses)
  const a = kept(await MeshNode.open({ listen }))
  expect(await bootstrap(a, { seeds: first.addresses })).toEqual({ listed: 0, peers: 0 })
  const b = kept(await MeshNode.open({ listen }))
  expect(await bootstrap(b, { seeds: second.addresses })).toEqual({ listed: 1, peers: 1 })
  expect([...b.peers.keys()]).toEqual([a.id])

  const table = kept(await ChordNode.open({ listen, join: true }))
  expect(await bootstrap(table, { seeds: first.addresses })).toEqual({ listed: 0, peers: 0 })
  const reader = kept(await ChordNode.open())
  expect(await bootstrap(reader, { seeds: second.addresses })).toEqual({ listed: 1, peers: 1 })

  // As the originals write it.
  const entries = [a, b].map(({ id, addresses: [own = ''] }) => [id, ['127.0.0.1', portOf(own)]])
  expect(await list(first)).toEqual(new Map(entries as never))
})

test('two that come at one moment write over each other in the list, and find each other all the same', async () => {
  const seed = await openSeed()
  const [a, b] = [kept(await MeshNode.open({ listen })), kept(await MeshNode.open({ listen }))]
  // The second has read the list before the first wrote, and writes when the first has found itself listed.
  const inTurn = turns(['1 get', '2 get', '1 set', '1 get', '2 set', '2 get', '1 get'])
  const open = ChordNode.open.bind(ChordNode)
  let clients = 0
  const spy = jest.spyOn(ChordNode, 'open').mockImplementation(async (options) => {
    const client = await open(options)
    clients += 1
    const name = clients
    const [get, set] = [client.get.bind(client), client.set.bind(client)]
    return Object.assign(client, {
      get: (key: Key) => inTurn(`${name} get`, () => get(key)),
      set: (key: Key, value: Value) => inTurn(`${name} set`, () => set(key, value)),
    })
  })
  try {
    await Promise.all([a, b].map((node) => bootstrap(node, { seeds: seed.addresses })))
  } finally {
    spy.mockRestore()
  }
  expect([[...a.peers.keys()], [...b.peers.keys()]]).toEqual([[b.id], [a.id]])
  expect((await list(seed)).size).toBe(2)
})

test('who does not want to be listed, or cannot be dialled, is not', async () => {
  const seed = await openSeed()
  const a = kept(await MeshNode.open({ listen }))
  await bootstrap(a, { seeds: seed.addresses, announce: false })
  await bootstrap(kept(await MeshNode.open()), { seeds: seed.addresses })
  expect(await seed.get(meshKey)).toBeUndefined()
})

test('what others wrote into the list does no harm, and dead nodes cost no more than a try', async () => {
  const seed = await openSeed()
  const dead = kept(await MeshNode.open({ listen }))
  const [gone = ''] = dead.addresses
  await dead.close()
  const a = kept(await MeshNode.open({ listen }))
  const b = kept(await MeshNode.open())
  await seed.set(meshKey, 'no mapping')
  expect(await bootstrap(b, { seeds: seed.addresses })).toEqual({ listed: 0, peers: 0 })
  await bootstrap(a, { seeds: seed.addresses })
  const entries = [...(await list(seed))]
  const odd = [[7, 'x'] as const, ['y', [null, null]] as const, ['z', ['127.0.0.1', 1e9]] as const]
  const lost = ['gone', ['127.0.0.1', portOf(gone)]] as const
  await seed.set(meshKey, new Map<string | number, Value>([...entries, ...odd, lost]))
  expect(await bootstrap(b, { seeds: seed.addresses })).toEqual({ listed: 2, peers: 1 })
})

test('a list that is full makes room', async () => {
  const seed = await openSeed()
  const others = Array.from({ length: 400 }, (_, i) => [`node ${i}`, ['127.0.0.1', null]] as const)
  await seed.set(meshKey, new Map(others))
  const a = kept(await MeshNode.open({ listen }))
  await bootstrap(a, { seeds: seed.addresses })
  const listed = await list(seed)
  expect(listed.size).toBe(256)
  expect(listed.has(a.id)).toBe(true)
})

test('a node that somebody else wrote over is listed again the next time', async () => {
  const seed = await openSeed()
  const a = kept(await MeshNode.open({ listen }))
  await bootstrap(a, { seeds: seed.addresses })
  await seed.set(meshKey, new Map([['other', ['127.0.0.1', 0]]]))
  await bootstrap(a, { seeds: seed.addresses })
  const listed = await list(seed)
  expect([...listed.keys()]).toEqual(['other', a.id])
})

test('without a seed it says so; without an address it is a mistake of the caller', async () => {
  const seed = await openSeed()
  const [address = ''] = seed.addresses
  await seed.close()
  const a = kept(await MeshNode.open())
  await expect(bootstrap(a, { seeds: address })).rejects.toMatchObject({ code: 'P2P_NO_SEED' })
  await expect(bootstrap(a, { seeds: 'nowhere' })).rejects.toThrow(TypeError)
  await expect(bootstrap(a, { seeds: [] })).rejects.toThrow(TypeError)
})

test('of a list that somebody filled a part is tried, at random, and for a time that ends', async () => {
  const seed = await openSeed()
  const others = Array.from({ length: 600 }, (_, i) => [`node ${i}`, ['127.0.0.1', i + 1]] as const)
  await seed.set(meshKey, new Map(others))
  const dialled: string[] = []
  const a = kept(await MeshNode.open())
  const refusing = jest.spyOn(a, 'connect').mockImplementation((address) => {
    dialled.push(address)
    return Promise.reject(new Error('refused'))
  })
  const seeds = seed.addresses
  expect((await bootstrap(a, { seeds })).listed).toBeLessThan(600)
  expect(dialled.length).toBeLessThanOrEqual(2 * 256)
  expect(new Set(dialled.slice(0, 256))).not.toEqual(new Set(dialled.slice(256)))
  refusing.mockRestore()

  const ends: AbortController[] = []
  const timing = jest.spyOn(AbortSignal, 'timeout').mockImplementation(() => {
    const end = new AbortController()
    ends.push(end)
    return end.signal
  })
  let waiting = 0
  const silent = jest.spyOn(a, 'connect').mockImplementation((_address, { signal } = {}) => {
    waiting += 1
    if (waiting % 4 === 0) ends.at(-1)?.abort()
    return new Promise((_resolve, reject) => {
      if (signal?.aborted === true) reject(new Error('over'))
      signal?.addEventListener('abort', () => {
        reject(new Error('over'))
      })
    })
  })
  try {
    expect((await bootstrap(a, { seeds })).peers).toBe(0)
    expect(waiting).toBe(8)
  } finally {
    silent.mockRestore()
    timing.mockRestore()
  }
})

/** What seeds hold for meshes over TCP. */
/** Runs what is named in this order, each when the one before has ended; what is not named any more at once. */
function turns(
  names: string[],
): <Result>(name: string, run: () => Promise<Result>) => Promise<Result> {
  let end: () => void = () => undefined
  let ended = new Promise<void>((resolve) => (end = resolve))
  return async (name, run) => {
    while (names.includes(name) && names[0] !== name) await ended
    const isNamed = names[0] === name
    const result = await run()
    if (isNamed) {
      names.shift()
      end()
      ended = new Promise((resolve) => (end = resolve))
    }
    return result
  }
}

async function list(seed: ChordNode): Promise<ReadonlyMap<string, Value>> {
  return new Map(Object.entries((await seed.get(meshKey)) ?? {}))
}

function portOf(address: string): number {
  return Number(new URL(address).port)
}
