/** What a node asks others of its kind: what comes of it when there is no room for a question. */
import { expect, test } from '@jest/globals'
import { encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import type { ChordEffect } from '../src/protocol/chord-contract.ts'
import { Holders } from '../src/protocol/holders.ts'
import { KeyList } from '../src/protocol/key-list.ts'
import { KeyNews } from '../src/protocol/key-news.ts'
import { OwnReads } from '../src/protocol/own-reads.ts'
import { OwnWrites } from '../src/protocol/own-writes.ts'
import type { RequestLine } from '../src/protocol/questions.ts'
import { Repair } from '../src/protocol/repair.ts'
import { ReplicaTalk } from '../src/protocol/replica-talk.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { maxTableRequests } from '../src/protocol/table-requests.ts'
import { VersionClock } from '../src/protocol/version.ts'

const now = { monoMs: 0, utcSeconds: 1_500_000_000 }
const id = encodeBase58Integer(1n << 380n)
const other = encodeBase58Integer(1n << 381n)

/** A storing node and another one, which answers nothing. */
function twoNodes() {
  const slots = new SlotStore()
  const nodes = new StoringNodes()
  nodes.add(id)
  nodes.add(other)
  const keys = new KeyList(10)
  const effects: ChordEffect[] = []
  const emit = (effect: ChordEffect): void => {
    effects.push(effect)
  }
  const clock = new VersionClock(id)
  const peers = new Map()
  const holders = new Holders({ nodes, replicas: 5, isTalking: true })
  const nothing = (): undefined => undefined
  const news = new KeyNews(
    {
      keys,
      peers,
      nodes,
      hasOld: () => false,
      talking: () => new Set<string>(),
      isDeleted: () => false,
      emit,
    },
    {
      random: (count) => new Uint8Array(count),
      outbox: { whisper: nothing, spread: nothing, handOver: nothing },
      old: { noteKey: nothing, tending: { noteRemoval: nothing } },
    },
  )
  const line: RequestLine = {
    id,
    slots,
    clock,
    peers,
    holdersOf: (slot) => holders.of(slot),
    passedOver: (slot) => holders.passedOver(slot),
    addressOf: () => undefined,
    isOld: () => false,
    hasOld: () => false,
    askOld: nothing,
    storeAtOld: nothing,
    ask: (...question) => {
      talk.ask(...question)
    },
    send: nothing,
    emit,
  }
  const reads = new OwnReads(line)
  const writes = new OwnWrites(line)
  const talk = new ReplicaTalk(
    {
      id,
      peers,
      isOld: () => false,
      slots,
      clock,
      reads: () => reads,
      writes: () => writes,
      isStoring: () => true,
      send: () => true,
      handOver: nothing,
    },
    new Repair({ id, slots, nodes, replicas: 5 }),
    news,
  )
  return { reads, writes, talk, effects }
}

test('a write without room for its questions fails; those after it do not pass over the node that was not asked', () => {
  const { writes, talk, effects } = twoNodes()
  for (let count = 0; count < maxTableRequests; count += 1)
    talk.ask(other, { type: 'offer', slots: [] }, () => [], now)
  for (const request of [1, 2]) {
    const key = utf8Encode(`key ${request}`)
    writes.begin({ type: 'write', request, key, value: encodeValue('v'), timeoutMs: 10_000 }, now)
    talk.failUnanswered(now)
  }
  expect(effects.map(({ type }) => type)).toEqual(['write-failed', 'write-failed'])
})

test('an answer of another kind than the question is none', () => {
  const { reads, talk, effects } = twoNodes()
  reads.begin({ type: 'read', request: 1, key: utf8Encode('key'), timeoutMs: 10_000 }, now)
  expect(talk.requestCount).toBeGreaterThan(0)
  for (let request = 1; talk.requestCount > 0; request += 1) {
    talk.handle({ type: 'stored', request, tables: [0, 1, 2, 3, 4], newest: 0 }, other, now)
    talk.handle({ type: 'want', request, slots: [] }, other, now)
  }
  expect([effects, reads.size]).toEqual([[], 1])
})
