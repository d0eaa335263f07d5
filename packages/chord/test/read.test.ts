import { describe, expect, test } from '@jest/globals'
import { encodeValue, utf8Encode } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import { Read } from '../src/protocol/read.ts'
import type { Question } from '../src/protocol/questions.ts'
import type { Version } from '../src/protocol/version.ts'

const slots = slotsOf(utf8Encode('key'))
const nil = { value: undefined }

/** Five tables, each held by a node named after its owner and two replicas. */
class Scene {
  readonly read: Read

  constructor(options: { readonly isOld?: boolean; readonly first?: number } = {}) {
    this.read = new Read({
      tables: slots.map((slot, table) => ({
        slot,
        holders: [`owner ${table}`, `replica ${table}`, `spare ${table}`],
      })),
      isProvisional: () => options.isOld === true,
      first: options.first ?? 5,
      patienceMs: 100,
      startMs: 0,
      timeoutMs: 10_000,
      graceMs: 1_000,
      retryMs: 200,
    })
    this.read.start()
  }

  hear(table: number, value: Value, version?: Version, rank = 'owner'): readonly Question[] {
    const answer = { value: value === null ? undefined : encodeValue(value), version }
    return this.read.handleAnswer(slots[table]!.name, `${rank} ${table}`, answer, 0)
  }

  fail(table: number, rank = 'owner'): readonly Question[] {
    return this.read.handleFailed(slots[table]!.name, `${rank} ${table}`, 0)
  }
}

const at = (time: number): Version => ({ time, writer: 'w' })
const found = (value: Value): object => ({ type: 'found', value: encodeValue(value) })

test('the owners are asked first, all at once', () => {
  const { read } = new Scene()
  const again = new Read({
    tables: slots.map((slot) => ({ slot, holders: ['a', 'b'] })),
    isProvisional: () => false,
    first: 5,
    patienceMs: 100,
    startMs: 0,
    timeoutMs: 1,
    graceMs: 1,
    retryMs: 1,
  })
  expect(again.start()).toEqual(slots.map((slot) => ({ slot, holders: ['a'] })))
  expect(read.result).toBeUndefined()
})

/** Who is asked, by the numbers of the tables. */
const nodesOf = (questions: readonly Question[]): readonly string[] =>
  questions.flatMap(({ holders }) => holders)
const othersOwners = ['owner 3', 'owner 4']

describe('of five tables, three asked first', () => {
  test('are enough when they agree', () => {
    const scene = new Scene({ first: 3 })
    for (const table of [0, 1, 2]) expect(scene.hear(table, 'v', at(1))).toEqual([])
    expect(scene.read.result).toMatchObject({ ...found('v'), stale: [] })
    expect(scene.read.nextDeadline()).toBe(Infinity)
  })

  test('are not waited for when they are late', () => {
    const scene = new Scene({ first: 3 })
    scene.hear(0, 'v', at(1))
    expect(scene.read.nextDeadline()).toBe(100)
    expect(scene.read.handleDeadline(99)).toEqual([])
    expect(nodesOf(scene.read.handleDeadline(100))).toEqual(othersOwners)
    expect(scene.read.nextDeadline()).toBe(10_000)
    for (const table of [3, 4]) scene.hear(table, 'v', at(1))
    expect(scene.read.result).toMatchObject(found('v'))
  })

  test('are not enough when they differ, or one is gone', () => {
    const scene = new Scene({ first: 3 })
    scene.hear(0, 'new', at(2))
    scene.hear(1, 'old', at(1))
    expect(nodesOf(scene.hear(2, 'old', at(1)))).toEqual(othersOwners)
    for (const table of [3, 4]) scene.hear(table, 'new', at(2))
    expect(scene.read.result).toMatchObject({ ...found('new'), stale: [slots[1], slots[2]] })
    const broken = new Scene({ first: 3 })
    expect(nodesOf(broken.fail(1))).toEqual([...othersOwners, 'replica 1', 'spare 1'])
    expect(nodesOf(broken.fail(2))).toEqual(['replica 2', 'spare 2'])
  })

  test('are followed by all holders of the others when one has nothing, and by their owners after a delete', () => {
    const scene = new Scene({ first: 3 })
    const others = [3, 4].flatMap((table) => [
      `owner ${table}`,
      `replica ${table}`,
      `spare ${table}`,
    ])
    expect(nodesOf(scene.hear(0, null))).toEqual([...others, 'replica 0', 'spare 0'])
    const deleted = new Scene({ first: 3 })
    expect(nodesOf(deleted.hear(0, null, at(5)))).toEqual(othersOwners)
    for (const table of [1, 2, 3, 4]) deleted.hear(table, null, at(5))
    expect(deleted.read.result).toEqual({ type: 'absent' })
  })
})

describe('without the word of their owners', () => {
  /** Each table has four replicas, of which the first says `old` and the others `new`. */
  function replicasOf(read: Read, table: number): readonly (() => void)[] {
    return [1, 2, 3, 4].map((rank) => () => {
      const [what, time] = rank === 1 ? ['old', 1] : ['new', 2]
      const answer = { value: encodeValue(what), version: at(Number(time)) }
      read.handleAnswer(slots[table]!.name, `${rank} ${table}`, answer, 0)
    })
  }
  const reading = (): Read => {
    const read = new Read({
      tables: slots.map((slot, table) => ({
        slot,
        holders: [0, 1, 2, 3, 4].map((rank) => `${rank} ${table}`),
      })),
      isProvisional: () => false,
      first: 5,
      patienceMs: 100,
      startMs: 0,
      timeoutMs: 10_000,
      graceMs: 1_000,
      retryMs: 200,
    })
    read.start()
    return read
  }

  test.each(['silent', 'unsure'])(
    'tables vote once one of the replicas that answered must know: owners %s',
    (owners) => {
      const read = reading()
      for (const [table, { name }] of slots.entries()) {
        if (owners === 'silent') read.handleFailed(name, `0 ${table}`, 0)
        else {
          const answer = { value: encodeValue('old'), version: at(1), isUnsure: true }
          read.handleAnswer(name, `0 ${table}`, answer, 0)
        }
      }
      const answers = [0, 1, 2].map((table) => replicasOf(read, table))
      for (const rank of [0, 1]) for (const replicas of answers) replicas[rank]!()
      expect(read.result).toBeUndefined()
      for (const replicas of answers) replicas[2]!()
      expect(read.result).toMatchObject({ ...found('new'), version: at(2) })
    },
  )

  test('an owner that is sure has the last word of its table', () => {
    const read = reading()
    for (const table of [0, 1, 2]) {
      const answer = { value: encodeValue('old'), version: at(1) }
      read.handleAnswer(slots[table]!.name, `0 ${table}`, answer, 0)
    }
    expect(read.result).toMatchObject(found('old'))
  })
})

test('three equal values end the read, and the tables that hold another are stale', () => {
  const scene = new Scene()
  scene.hear(0, 'old', at(1))
  scene.hear(1, 'new', at(2))
  scene.hear(2, 'new', at(2))
  expect(scene.read.result).toBeUndefined()
  scene.hear(3, 'new', at(3))
  expect(scene.read.result).toMatchObject({
    ...found('new'),
    version: at(3),
    stale: [slots[0]],
  })
  expect(scene.read.nextDeadline()).toBe(Infinity)
})

test('an owner that has nothing, or is gone, is followed by all its replicas', () => {
  const scene = new Scene()
  const replicas = [0, 1].map((table) => [
    { slot: slots[table], holders: [`replica ${table}`, `spare ${table}`] },
  ])
  expect(scene.hear(0, null)).toEqual(replicas[0])
  expect(scene.fail(1)).toEqual(replicas[1])
  scene.hear(0, 'v', at(1), 'spare')
  scene.hear(1, 'v', at(1), 'replica')
  scene.hear(2, 'v', at(1))
  expect(scene.read.result).toMatchObject(found('v'))
})

test('without a majority the newest version wins; a delete may be the newest', () => {
  const scene = new Scene()
  for (const [table, value] of ['a', 'b', 'c', 'd'].entries()) scene.hear(table, value, at(table))
  const deleted = new Scene()
  for (const [table, value] of ['a', 'b'].entries()) deleted.hear(table, value, at(table))
  scene.hear(4, 'a', at(9))
  expect(scene.read.result).toMatchObject({ ...found('a'), version: at(9) })
  for (const table of [2, 3, 4]) deleted.hear(table, null, at(5))
  expect(deleted.read.result).toEqual({ type: 'absent' })
})

test('nobody has it: among nodes of ours this is known at once', () => {
  const scene = new Scene()
  for (const table of slots.keys()) {
    scene.hear(table, null)
    scene.hear(table, null, undefined, 'replica')
    expect(scene.read.result).toBeUndefined()
    scene.hear(table, null, undefined, 'spare')
  }
  expect(scene.read.result).toEqual({ type: 'absent' })
})

test('nobody answers: nothing is known', () => {
  const scene = new Scene()
  for (const table of slots.keys()) {
    scene.fail(table)
    scene.fail(table, 'replica')
    scene.fail(table, 'spare')
  }
  expect(scene.read.result).toEqual({ type: 'unknown' })
  const silent = new Scene()
  expect(silent.read.nextDeadline()).toBe(10_000)
  silent.read.handleDeadline(10_000)
  expect(silent.read.result).toEqual({ type: 'unknown' })
})

test('a nil of an old node is provisional: it is asked again, and a value that follows counts', () => {
  const scene = new Scene({ isOld: true })
  for (const table of slots.keys())
    for (const rank of ['owner', 'replica', 'spare']) scene.hear(table, null, undefined, rank)
  expect(scene.read.result).toBeUndefined()
  expect(scene.read.nextDeadline()).toBe(200)
  expect(scene.read.handleDeadline(200).flatMap(({ holders }) => holders)).toHaveLength(15)
  for (const table of [0, 1, 2]) scene.hear(table, 'late')
  expect(scene.read.result).toMatchObject(found('late'))
  const nothing = new Scene({ isOld: true })
  for (const table of slots.keys())
    for (const rank of ['owner', 'replica', 'spare']) nothing.hear(table, null, undefined, rank)
  nothing.read.handleDeadline(1_000)
  expect(nothing.read.result).toEqual({ type: 'absent' })
})

test('values that nothing orders are told as they are', () => {
  const scene = new Scene()
  for (const [table, value] of ['a', 'a', 'b', 'b', 'c'].entries()) scene.hear(table, value)
  expect(scene.read.result).toMatchObject({
    type: 'no-agreement',
    candidates: [{ count: 2 }, { count: 2 }, { count: 1 }],
  })
})

test('answers of strangers, for other slots and after the end, change nothing', () => {
  const scene = new Scene()
  const [slot] = slots
  expect(scene.read.handleAnswer('other', 'owner 0', nil, 0)).toEqual([])
  expect(scene.read.handleAnswer(slot!.name, 'stranger', nil, 0)).toEqual([])
  for (const table of [0, 1, 2]) scene.hear(table, 'v', at(1))
  const { result } = scene.read
  scene.hear(3, 'w', at(2))
  scene.hear(4, 'w', at(2))
  expect(scene.read.result).toBe(result)
})

test('answers for other slots, of strangers and after the end change nothing', () => {
  const scene = new Scene()
  const answer = { value: encodeValue('v') }
  expect(scene.read.handleAnswer('elsewhere', 'owner 0', answer, 0)).toEqual([])
  expect(scene.read.handleAnswer(slots[0]!.name, 'stranger', answer, 0)).toEqual([])
  expect(scene.read.handleFailed('elsewhere', 'owner 0', 0)).toEqual([])
  for (const table of [0, 1, 2]) scene.hear(table, 'v')
  const { result } = scene.read
  expect(result).toMatchObject(found('v'))
  expect(scene.hear(3, 'other', at(9))).toEqual([])
  expect(scene.fail(4)).toEqual([])
  expect(scene.read.handleDeadline(20_000)).toEqual([])
  expect([scene.read.result, scene.read.nextDeadline()]).toEqual([result, Infinity])
})

test('before anything is due a deadline asks nobody; a table without holders is asked nothing', () => {
  const read = new Read({
    tables: slots.map((slot, table) => ({ slot, holders: table === 0 ? [] : ['a'] })),
    isProvisional: () => false,
    first: 5,
    patienceMs: 100,
    startMs: 0,
    timeoutMs: 10_000,
    graceMs: 1_000,
    retryMs: 200,
  })
  expect(read.start()).toHaveLength(4)
  expect(read.handleDeadline(9_999)).toEqual([])
  expect(read.result).toBeUndefined()
})

test('of two answers of one table the later version counts, and none is worse than any', () => {
  const scene = new Scene()
  scene.hear(0, 'old', at(1))
  scene.hear(0, 'new', at(2), 'replica')
  scene.hear(0, 'plain', undefined, 'spare')
  for (const table of [1, 2]) scene.hear(table, 'new')
  expect(scene.read.result).toMatchObject({ ...found('new'), version: at(2) })
})

test('of values that are one to the vote, the newest write is read, with its own version', () => {
  const scene = new Scene()
  scene.hear(0, 1, at(1_000))
  scene.hear(1, true, at(3_000))
  scene.hear(2, 1, at(2_000))
  expect(scene.read.result).toEqual({ ...found(true), version: at(3_000), stale: [] })
})
