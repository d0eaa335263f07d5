/** What a hash table node keeps in its store, and what a ring finds again in the stores of its nodes. */
import { afterEach, expect, test } from '@jest/globals'
import { MemoryStore } from '@p2p/base'
import type { Store } from '@p2p/base'
import { ChordNode } from '../src/index.ts'

const nodes: ChordNode[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

/** Storing nodes that know each other, each with one of these stores. */
async function openRing(stores: readonly Store[]): Promise<readonly ChordNode[]> {
  const ring: ChordNode[] = []
  for (const store of stores) {
    const [first] = ring
    const connect = first === undefined ? [] : first.addresses.slice(0, 1)
    const node = await ChordNode.open({ listen: 'tcp://127.0.0.1:0', connect, store, join: true })
    nodes.push(node)
    ring.push(node)
  }
  await Promise.all(ring.map((node) => ringOf(node, stores.length)))
  return ring
}

/** Resolves once the node knows so many that store. */
function ringOf(node: ChordNode, size: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (node.report().ring.size >= size) resolve()
    }
    node.on('ring', look)
    look()
  })
}

/** What a store holds at a moment, as a process that is killed leaves it behind. */
async function copyOf(store: Store): Promise<Store> {
  const copy = new MemoryStore()
  for await (const [key, value] of store.iterate('')) await copy.put(key, value)
  return copy
}

const names = Array.from({ length: 20 }, (_, index) => `key ${index}`)

test('what was acknowledged and persisted survives the death of all nodes at once, under new ids', async () => {
  const stores = [new MemoryStore(), new MemoryStore(), new MemoryStore()]
  const [writer, ...others] = await openRing(stores)
  if (writer === undefined) throw new Error('an empty ring')
  await writer.update(names.map((name) => [name, { name }] as const))
  await writer.delete('key 3')
  await Promise.all([writer, ...others].map((node) => node.persisted()))
  const left = await Promise.all(stores.map(copyOf))
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  const again = await openRing(left)
  expect(new Set(again.map(({ id }) => id)).has(writer.id)).toBe(false)
  for (const node of again) {
    expect(await node.get('key 3', 'gone')).toBe('gone')
    for (const name of names.filter((other) => other !== 'key 3')) {
      expect(await node.get(name)).toEqual({ name })
    }
  }
})

test('a record that cannot be read is told as an error, and the others are read', async () => {
  const store = new MemoryStore()
  const first = await ChordNode.open({ listen: 'memory://one', store, join: true })
  nodes.push(first)
  await first.set('key', 'value')
  await first.persisted()
  const left = await copyOf(store)
  await left.put('chord/chord/sha1 2', new Uint8Array([0xc1]))
  const second = await ChordNode.open({ listen: 'memory://two', store: left, join: true })
  nodes.push(second)
  expect(second.report().lastErrors).toMatchObject([{ code: 'P2P_STORE_CORRUPT' }])
  expect(await second.get('key')).toBe('value')
})

test('a store that cannot be read is a failure of the store', async () => {
  const cause = new Error('disk')
  const store = Object.assign(new MemoryStore(), {
    iterate: () => {
      throw cause
    },
  })
  const opened = ChordNode.open({ listen: 'memory://here', store })
  await expect(opened).rejects.toMatchObject({ code: 'P2P_STORE_FAILED', cause })
})

test('close() says when the store did not take what the node keeps, and tries again when called again', async () => {
  const store = new MemoryStore()
  const node = await ChordNode.open({ listen: 'memory://one', store, join: true })
  const batch = store.batch.bind(store)
  store.batch = () => Promise.reject(new Error('the disk is full'))
  await node.set('key', 'value')
  await expect(node.close()).rejects.toMatchObject({ code: 'P2P_STORE_FAILED' })
  store.batch = batch
  await node.close()
  const again = await ChordNode.open({ listen: 'memory://two', store, join: true })
  nodes.push(again)
  expect(await again.get('key')).toBe('value')
})

test('hash tables of two subnets share a store, also where one name begins like the other', async () => {
  const store = new MemoryStore()
  const open = async (subnet: string): Promise<ChordNode> => {
    const node = await ChordNode.open({ listen: 'memory://here', store, subnet, join: true })
    nodes.push(node)
    return node
  }
  const first = await open('a/b')
  await first.set('key', 'value')
  await first.close()
  const other = await open('a')
  expect(other.report().lastErrors).toEqual([])
  expect(await other.get('key', 'none')).toBe('none')
  await other.close()
  const again = await open('a/b')
  expect(await again.get('key')).toBe('value')
})

test('deltas of one node to one key at a time are all in the result', async () => {
  const node = await ChordNode.open({ listen: 'tcp://127.0.0.1:0', join: true })
  nodes.push(node)
  const fields = Array.from({ length: 10 }, (_, index) => `field ${index}`)
  await Promise.all(fields.map((field) => node.applyDelta('map', { [field]: 1 })))
  await expect(node.applyDelta('map', 7)).rejects.toThrow(TypeError)
  expect(await node.get('map')).toEqual(Object.fromEntries(fields.map((field) => [field, 1])))
})
