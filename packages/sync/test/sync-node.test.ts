import { MemoryStore } from '@p2p/base'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Mesh } from '@p2p/mesh'
import { afterEach, expect, test } from '@jest/globals'
import { LeaseError, SyncNode } from '../src/index.ts'
import type { SyncEvents, SyncNodeOptions } from '../src/index.ts'

const nodes: SyncNode[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

async function open(options: SyncNodeOptions = {}): Promise<SyncNode> {
  const node = await SyncNode.open({ listen: 'tcp://127.0.0.1:0', ...options })
  nodes.push(node)
  return node
}

async function openTwo(options: SyncNodeOptions = {}): Promise<[SyncNode, SyncNode]> {
  const a = await open(options)
  const b = await open({ ...options, connect: a.addresses[0]! })
  await b.settled()
  return [a, b]
}

function next<Name extends keyof SyncEvents & string>(
  node: SyncNode,
  event: Name,
): Promise<SyncEvents[Name]> {
  return new Promise((resolve) => node.on(event, resolve, { once: true }))
}

test('is a mesh for code that takes any, and tells its events from names that are none', async () => {
  const [a, b] = await openTwo()
  const mesh: Mesh = b
  const heard = new Promise<readonly unknown[]>((resolve) => {
    mesh.on('message', ({ packets }) => {
      resolve(packets)
    })
  })
  a.broadcast('hello')
  expect(await heard).toEqual(['hello'])
  // @ts-expect-error a mesh has no dictionary
  mesh.on('update', () => undefined)
  // @ts-expect-error no event has this name
  a.on('updated', () => undefined)
})

test('is like a Map, here and on the other node', async () => {
  const [a, b] = await openTwo()
  const update = next(b, 'update')
  a.set('colour', 'green')
  expect(await update).toEqual({
    key: 'colour',
    value: 'green',
    meta: { owner: a.id, timestamp: expect.any(Number) },
  })
  a.update({ one: 1, 测试: [1, { two: 2 }] })
  a.update(new Map([['three', 3]]))
  a.applyDelta('map', { x: 1 })
  a.applyDelta('map', { y: 2 })
  expect(await b.settled()).toBe(2)
  expect(b.digest()).toBe(a.digest())
  expect(b.toMap()).toEqual(a.toMap())
  expect([...b.keys()].sort()).toEqual(['colour', 'map', 'one', 'three', '测试'])
  expect(b.get('map')).toEqual({ x: 1, y: 2 })
  expect([b.size, b.has('one'), b.has('none'), b.get('none', 7)]).toEqual([5, true, false, 7])
  expect(a.pop('one')).toBe(1)
  expect(a.pop('one', 'gone')).toBe('gone')
  expect(a.delete('three')).toBe(true)
  expect(a.delete('three')).toBe(false)
  expect(a.popItem()).toEqual(['colour', 'green'])
  await b.settled()
  expect([...b].length).toBe(2)
})

test('a key of another node is leased, and free once it is deleted', async () => {
  const [a, b] = await openTwo()
  a.set('key', 1)
  await b.settled()
  expect(b.lease('key')).toEqual({ owner: a.id, expiresAtSeconds: expect.any(Number) })
  for (const write of [
    () => b.set('key', 2),
    () => b.delete('key'),
    () => b.applyDelta('key', {}),
    () => b.update({ other: 1, key: 2 }),
  ]) {
    expect(write).toThrow('leased by')
  }
  expect(b.has('other')).toBe(false)
  try {
    b.set('key', 2)
  } catch (error) {
    expect(error).toBeInstanceOf(LeaseError)
    expect(error).toMatchObject({ code: 'P2P_LEASE_HELD', owner: a.id })
    expect((error as LeaseError).remainingSeconds).toBeGreaterThan(3_500)
  }
  a.delete('key')
  await b.settled()
  b.set('key', 2)
  await a.settled()
  expect(a.get('key')).toBe(2)
})

test('without leases everybody may write, and the last one stays', async () => {
  const [a, b] = await openTwo({ leasing: false })
  a.set('key', 1)
  await b.settled()
  b.set('key', 2)
  b.set('key', 3)
  await a.settled()
  expect([a.get('key'), b.get('key'), a.lease('key')]).toEqual([3, 3, undefined])
})

test('nodes with and without leases do not connect', async () => {
  const a = await open()
  const b = await open({ leasing: false })
  await expect(b.connect(a.addresses[0]!)).rejects.toMatchObject({ code: 'P2P_WRONG_NETWORK' })
})

test('what is handed out belongs to the caller', async () => {
  const a = await open()
  const value = { list: [1] }
  a.set('key', value)
  value.list.push(2)
  const got = a.get('key') as { list: number[] }
  got.list.push(3)
  expect(a.get('key')).toEqual({ list: [1] })
})

test('values and keys that cannot be sent are refused before anything changes', async () => {
  const a = await open()
  expect(() => a.set('key', null)).toThrow(TypeError)
  expect(() => a.set('key', undefined as never)).toThrow(TypeError)
  expect(() => a.set('key', (() => 1) as never)).toThrow('cannot be encoded')
  expect(() => a.set(7 as never, 1)).toThrow(TypeError)
  expect(() =>
    a.update([
      ['a', 1],
      ['b', null],
    ] as never),
  ).toThrow(TypeError)
  expect(() => a.applyDelta('key', [1] as never)).toThrow(TypeError)
  a.set('text', 'text')
  expect(() => a.applyDelta('text', { a: 1 })).toThrow(TypeError)
  expect(a.size).toBe(1)
})

test('an update that is too large as a whole changes nothing, and one that replaces as much is taken', async () => {
  const [a, b] = await openTwo({ dictionary: { maxBytes: 300 }, leasing: false })
  const all = (letter: string): Record<string, string> =>
    Object.fromEntries(['one', 'two', 'six'].map((key) => [key, letter.repeat(80)]))
  const tooLarge = { code: 'P2P_DICTIONARY_LIMIT', facts: { reason: 'too-many-bytes' } }
  expect(() => {
    a.update({ ...all('x'), ten: 'x'.repeat(60) })
  }).toThrow(expect.objectContaining(tooLarge))
  expect(a.size).toBe(0)
  a.update(all('x'))
  a.update(all('y'))
  expect(() => {
    a.set('ten', 'x'.repeat(60))
  }).toThrow(expect.objectContaining(tooLarge))
  await b.settled()
  expect(b.toMap()).toEqual(new Map(Object.entries(all('y'))))
})

test('a write beyond a limit of the dictionary is refused with an error, and nobody hears of it', async () => {
  const [a, b] = await openTwo({ dictionary: { maxKeys: 3, maxEntryBytes: 40 } })
  const limit = (reason: string): object => ({ code: 'P2P_DICTIONARY_LIMIT', facts: { reason } })
  const errorOf = (write: () => unknown): unknown => {
    try {
      return write()
    } catch (error) {
      return error
    }
  }
  expect(errorOf(() => a.set('key', 'x'.repeat(40)))).toMatchObject(limit('too-large'))
  a.set('map', { a: 'x'.repeat(20) })
  expect(errorOf(() => a.applyDelta('map', { b: 'x'.repeat(20) }))).toMatchObject(
    limit('too-large'),
  )
  a.applyDelta('map', { b: 1 })
  const three = { one: 1, two: 2, three: 3 }
  expect(errorOf(() => a.update(three))).toMatchObject(limit('too-many-keys'))
  expect(a.size).toBe(1)
  a.update([...Object.entries({ map: {}, one: 1, two: 2 }), ['two', 3]])
  expect(errorOf(() => a.set('four', 4))).toMatchObject(limit('too-many-keys'))
  expect(a.pop('two')).toBe(3)
  await b.settled()
  expect(b.toMap()).toEqual(
    new Map<string, unknown>([
      ['map', {}],
      ['one', 1],
    ]),
  )
})

test('a write of a handler that meets a limit when its turn comes is told as an error', async () => {
  const a = await open({ dictionary: { maxKeys: 2 } })
  const error = next(a, 'error')
  a.on('update', ({ key }) => {
    if (key === 'go') for (const name of ['one', 'two']) a.set(name, 1)
  })
  a.set('go', 1)
  expect(await error).toMatchObject({
    code: 'P2P_DICTIONARY_LIMIT',
    facts: { reason: 'too-many-keys' },
  })
  expect([...a.keys()]).toEqual(['go', 'one'])
})

test('popItem finds what is left and what came back, and gives each entry once, in a handler too', async () => {
  const [a, b] = await openTwo()
  b.set('of another', 0)
  a.update({ one: 1, two: 2 })
  await a.settled()
  expect(a.popItem()).toEqual(['one', 1])
  a.set('one', 'again')
  expect([a.popItem(), a.popItem(), a.popItem()]).toEqual([['two', 2], ['one', 'again'], undefined])
  a.update({ three: 3, four: 4 })
  const popped = new Promise<unknown>((resolve) => {
    a.on('update', ({ key }) => {
      if (key === 'go') resolve([a.popItem(), a.popItem()])
    })
  })
  a.set('go', true)
  expect(await popped).toEqual([
    ['three', 3],
    ['four', 4],
  ])
})

test('an entry that would fit into no frame is no limit', async () => {
  const mebibyte = 1_048_576
  await expect(open({ dictionary: { maxEntryBytes: 16 * mebibyte } })).rejects.toThrow(RangeError)
  await expect(open({ limits: { maxFrameBytes: mebibyte } })).rejects.toThrow(
    'maxEntryBytes must be 524288 below maxFrameBytes',
  )
  const dictionary = { maxEntryBytes: mebibyte / 2 }
  const [a, b] = await openTwo({ limits: { maxFrameBytes: mebibyte }, dictionary })
  a.set('k', new Uint8Array(mebibyte / 2 - 10))
  for (let i = 0; i < 10; i++) a.set(`key ${i}`, new Uint8Array(6_000))
  expect(await b.settled()).toBe(2)
})

test('text keys and their bytes are one key, and keys that are no text stay bytes', async () => {
  const a = await open()
  a.set(new TextEncoder().encode('ä'), 1)
  a.set(Uint8Array.of(255, 0), 2)
  expect(a.get('ä')).toBe(1)
  expect([...a.keys()]).toEqual(['ä', Uint8Array.of(255, 0)])
  a.set('__proto__', 'harmless')
  expect(a.get('__proto__')).toBe('harmless')
})

test('a node that was restarted has what its store kept', async () => {
  const store = new MemoryStore()
  const first = await open({ store })
  first.set('key', { a: 1 })
  first.set('gone', 1)
  first.delete('gone')
  await first.persisted()
  await first.close()
  const again = await open({ store })
  expect(again.toMap()).toEqual(new Map([['key', { a: 1 }]]))
})

test('a node that was restarted is the same node: it writes its own keys, others still may not', async () => {
  const store = new MemoryStore()
  const other = await open()
  const first = await open({ store, connect: other.addresses[0]! })
  first.set('key', 'before')
  await first.persisted()
  await first.settled()
  await first.close()
  const again = await open({ store, connect: other.addresses[0]! })
  expect(again.id).toBe(first.id)
  again.set('key', 'after')
  await again.settled()
  expect(other.get('key')).toBe('after')
  expect(() => other.set('key', 'stolen')).toThrow(LeaseError)
  expect(again.metrics()['forgeries']).toBe(0)
  const elsewhere = await open({ store, subnet: 'another' })
  expect(elsewhere.id).not.toBe(first.id)
})

test('a node whose stored id cannot be read says so and has a new one', async () => {
  const store = new MemoryStore()
  const first = await open({ store })
  await first.close()
  await store.put('sync-identity/sync1', Uint8Array.of(1, 2, 3))
  const again = await open({ store })
  expect(again.id).not.toBe(first.id)
  expect(again.report().lastErrors).toMatchObject([{ code: 'P2P_STORE_CORRUPT' }])
  await again.close()
  expect((await open({ store })).id).toBe(again.id)
})

test('a node that its signal ends does all that close() does: what the store refused is tried again', async () => {
  const store = new MemoryStore()
  const abort = new AbortController()
  const node = await open({ store, signal: abort.signal })
  const refused = next(node, 'error')
  const batch = store.batch.bind(store)
  const kept = new Promise<void>((resolve) => {
    store.batch = () => {
      store.batch = async (changes) => {
        await batch(changes)
        resolve()
      }
      return Promise.reject(new Error('the disk is full'))
    }
  })
  node.set('key', 'value')
  expect(await refused).toMatchObject({ code: 'P2P_STORE_FAILED' })
  abort.abort()
  await kept
  expect((await open({ store })).get('key')).toBe('value')
})

test('a write that was made in a handler is in the store once persisted() says so', async () => {
  const store = new MemoryStore()
  const a = await open({ store })
  const batch = store.batch.bind(store)
  store.batch = async (changes) => {
    await nextTurn()
    await batch(changes)
  }
  const kept = new Promise<Uint8Array | undefined>((resolve) => {
    a.on('message', async () => {
      a.set('key', 'value')
      await a.persisted()
      resolve(await store.get('sync/sync1/key'))
    })
  })
  const b = await open({ connect: a.addresses[0]! })
  b.broadcast('write')
  expect(await kept).toBeDefined()
})

test('close() says when the store did not take what was written, and tries again when called again', async () => {
  const store = new MemoryStore()
  const node = await open({ store })
  const batch = store.batch.bind(store)
  store.batch = () => Promise.reject(new Error('the disk is full'))
  node.set('key', 'value')
  await expect(node.close()).rejects.toMatchObject({ code: 'P2P_STORE_FAILED' })
  store.batch = batch
  await node.close()
  expect((await open({ store })).get('key')).toBe('value')
})

test('a store that cannot be read is told as such', async () => {
  const store = new MemoryStore()
  const cause = new Error('no such disk')
  store.iterate = () => {
    throw cause
  }
  await expect(SyncNode.open({ store })).rejects.toMatchObject({ code: 'P2P_STORE_FAILED', cause })
})

test('what the store keeps for another subnet stays there, whatever its name', async () => {
  const store = new MemoryStore()
  const other = await open({ store, subnet: 'app1/room' })
  other.set('key', 'elsewhere')
  await other.persisted()
  const node = await open({ store, subnet: 'app' })
  expect(node.size).toBe(0)
  expect(node.report().lastErrors).toEqual([])
})

test('claim resolves with the lease, or says who has it', async () => {
  const [a, b] = await openTwo()
  const lease = await a.claim('leader', { value: 'a', timeoutMs: 50 })
  expect(lease.owner).toBe(a.id)
  await b.settled()
  await expect(b.claim('leader', { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'P2P_LEASE_HELD',
    owner: a.id,
  })
})

test('a claim or a wait whose signal was aborted before changes nothing', async () => {
  const a = await open()
  for (const cause of [new Error('enough'), 'enough']) {
    const signal = AbortSignal.abort(cause)
    const cancelled = { code: 'P2P_CANCELLED', cause }
    await expect(a.claim('leader', { signal })).rejects.toMatchObject(cancelled)
    await expect(a.settled({ signal })).rejects.toMatchObject(cancelled)
  }
  expect(a.has('leader')).toBe(false)
})

test('a claim whose signal is aborted rejects at once', async () => {
  const a = await open()
  const abort = new AbortController()
  const claimed = a.claim('leader', { signal: abort.signal, timeoutMs: 600_000 })
  const cause = new Error('enough')
  abort.abort(cause)
  await expect(claimed).rejects.toMatchObject({ code: 'P2P_CANCELLED', cause })
})

test('closing the node ends the wait for a lease', async () => {
  const a = await open()
  const claimed = expect(a.claim('leader', { timeoutMs: 600_000 })).rejects.toMatchObject({
    code: 'P2P_CLOSED',
  })
  await a.close()
  await claimed
})

test('a wait that would never end, or end at once, is no wait', async () => {
  const a = await open()
  for (const timeoutMs of [NaN, 0, -1]) {
    await expect(a.settled({ timeoutMs })).rejects.toThrow(RangeError)
    await expect(a.claim('key', { timeoutMs })).rejects.toThrow(RangeError)
  }
  expect(a.has('key')).toBe(false)
})

test('it is a mesh node as well', async () => {
  const [a, b] = await openTwo()
  const message = next(b, 'message')
  a.broadcast('this is', 'a test')
  expect((await message).packets).toEqual(['this is', 'a test'])
  b.respond((question) => question.packets)
  expect(await a.request(b.id, ['echo'])).toEqual(['echo'])
  expect(a.report()).toMatchObject({ leasing: true, keys: 0, peers: [{ id: b.id }] })
  await a.close()
  expect(() => a.set('key', 1)).toThrow('closed')
})

test('wrong options are told at once', async () => {
  await expect(SyncNode.open({ leasing: 1 as never })).rejects.toThrow(TypeError)
  await expect(SyncNode.open({ leasin: true } as never)).rejects.toThrow(TypeError)
  await expect(SyncNode.open({ dictionary: { maxKey: 1 } as never })).rejects.toThrow(TypeError)
})

test('limits of the mesh are options of a dictionary as well, and a misspelt option is named', async () => {
  await open({ limits: { targetOutgoing: 4, maxNeighbours: 12 } })
  const misspelt: object = { leasin: false }
  await expect(SyncNode.open(misspelt)).rejects.toThrow('did you mean "leasing"?')
})
