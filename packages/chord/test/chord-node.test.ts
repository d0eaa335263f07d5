import { afterEach, expect, test } from '@jest/globals'
import { ChordNode } from '../src/index.ts'
import type { ChordEvents, ChordNodeOptions } from '../src/index.ts'

const nodes: ChordNode[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

async function open(options: ChordNodeOptions = {}): Promise<ChordNode> {
  const node = await ChordNode.open({ listen: 'tcp://127.0.0.1:0', ...options })
  nodes.push(node)
  return node
}

function next<Name extends keyof ChordEvents & string>(
  node: ChordNode,
  event: Name,
): Promise<ChordEvents[Name]> {
  return new Promise((resolve) => node.on(event, resolve, { once: true }))
}

/** Two nodes that store and know it of each other. */
async function openTwo(): Promise<[ChordNode, ChordNode]> {
  const a = await open({ join: true })
  const b = await open({ connect: a.addresses[0]! })
  const known = next(a, 'ring')
  await b.join()
  await known
  return [a, b]
}

test('is like a Map whose methods wait', async () => {
  const [a, b] = await openTwo()
  const added = next(b, 'add')
  await a.set('colour', 'green')
  expect(await added).toEqual({ key: 'colour' })
  expect(await b.get('colour')).toBe('green')
  await b.update({ one: 1, 测试: [1, { two: 2 }] })
  await b.update(new Map([['three', 3]]))
  expect(await b.applyDelta('map', { x: 1 })).toEqual({ x: 1 })
  expect(await b.applyDelta('map', { y: 2 })).toEqual({ x: 1, y: 2 })
  expect([b.size, await b.get('map')]).toEqual([5, { x: 1, y: 2 }])
  expect([await b.get('none'), await b.get('none', 7)]).toEqual([undefined, 7])
  expect(await b.pop('one')).toBe(1)
  expect(await b.pop('one', 'gone')).toBe('gone')
  expect([await b.delete('three'), await b.delete('three')]).toEqual([true, false])
  const keys: unknown[] = []
  for await (const key of b.keys()) keys.push(key)
  expect(keys.sort()).toEqual(['colour', 'map', '测试'])
  expect(await b.toMap()).toEqual(
    new Map<string, unknown>([
      ['colour', 'green'],
      ['测试', [1, { two: 2 }]],
      ['map', { x: 1, y: 2 }],
    ]),
  )
  expect(await b.popItem()).toEqual(['colour', 'green'])
})

test('what failed while it joined is told when the node is open', async () => {
  const a = await open({ join: true })
  const closed = await open()
  const [nobody] = closed.addresses
  await closed.close()
  const b = await open({ join: true, connect: [nobody!, a.addresses[0]!] })
  expect((await next(b, 'error')).code).toBe('P2P_CONNECTION_REFUSED')
})

test('values that cannot be stored are told at once', async () => {
  const node = await open({ join: true })
  await expect(node.set('key', null)).rejects.toThrow(TypeError)
  await expect(node.set('key', undefined as never)).rejects.toThrow(TypeError)
  await expect(node.applyDelta('key', 'text')).rejects.toThrow(TypeError)
  await node.set('key', 'text')
  await expect(node.applyDelta('key', { a: 1 })).rejects.toThrow(TypeError)
  await expect(ChordNode.open({ table: { maxSlot: 1 } as never })).rejects.toThrow('maxSlot')
})

test('a report shows the ring, and locate who holds a key', async () => {
  const [a, b] = await openTwo()
  expect(a.report()).toMatchObject({
    isStoring: true,
    ring: { size: 2, behind: [b.id], ahead: [b.id] },
  })
  const places = a.locate('key')
  expect(places.map(({ table }) => table)).toEqual(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])
  for (const { owner, hops, position } of places) {
    expect([a.id, b.id]).toContain(owner)
    expect(hops).toBe(owner === a.id ? 0 : 1)
    expect(position).toMatch(/^[0-9a-f]{96}$/)
  }
})

test('put and get are right straight after the join, without anything else to wait for', async () => {
  const a = await open({ join: true })
  await a.set('before', 1)
  const b = await open({ connect: a.addresses[0]! })
  await b.join()
  expect(b.report().ring).toEqual({ size: 2, behind: [a.id], ahead: [a.id] })
  expect(await b.get('before')).toBe(1)
  await b.set('after', 2)
  expect(await a.get('after')).toBe(2)
  const c = await open({ connect: b.addresses[0]!, join: true })
  expect([c.report().ring.size, await c.get('before'), await c.get('after')]).toEqual([3, 1, 2])
})

test('a node without neighbours joins at once, and again; a closed one does not', async () => {
  const node = await open()
  await node.join()
  await node.join({ timeoutMs: 1 })
  await node.set('key', 'value')
  expect([node.isStoring, await node.get('key')]).toEqual([true, 'value'])
  await node.close()
  await expect(node.join()).rejects.toThrow('closed')
})

test('a node that leaves hands over what it stores', async () => {
  const [a, b] = await openTwo()
  await a.set('key', 'value')
  await a.leave()
  expect(a.isStoring).toBe(false)
  expect(await b.get('key')).toBe('value')
  await a.close()
  expect(await b.get('key')).toBe('value')
})

test('a node that its signal ends leaves the ring first, as with close()', async () => {
  const abort = new AbortController()
  const a = await open({ join: true })
  const b = await open({ connect: a.addresses[0]!, signal: abort.signal })
  const known = next(a, 'ring')
  await b.join()
  await known
  const left = next(a, 'ring')
  const gone = next(a, 'peer:leave')
  abort.abort()
  expect(await Promise.race([left, gone])).toEqual({ id: b.id, isStoring: false, size: 1 })
})
