/** How news of the ring go out: broadcast in a small ring, from neighbour to neighbour in a large one. */
import { expect, test } from '@jest/globals'
import type { Now, Peer } from '@p2p/base'
import { encodeBase58Integer } from '@p2p/serializer'
import { readRingMessage } from '../src/protocol/ring-messages.ts'
import { RingNews, largeRing } from '../src/protocol/ring-news.ts'
import { RingView, type Member } from '../src/protocol/ring-view.ts'
import { peerOf } from './peer-of.ts'

const at = (monoMs: number): Now => ({ monoMs, utcSeconds: 1_500_000_000 + monoMs / 1_000 })
/** Ids in ring order. */
const idOf = (index: number): string => encodeBase58Integer((1n << 380n) + BigInt(index))
const record = (id: string, incarnation = 1): Member => ({
  id,
  incarnation,
  state: 'storing',
  isOld: false,
  addresses: [],
})

class Scene {
  readonly view = new RingView()
  readonly peers = new Map<string, Peer>()
  readonly spread: number[] = []
  readonly sent: { readonly to: string; readonly count: number }[] = []
  readonly news: RingNews

  /** A ring of so many, in which this node is number 50 and has links to those with these numbers. */
  constructor(size: number, linked: readonly number[]) {
    for (let index = 0; index < size; index += 1) this.view.merge(record(idOf(index)), 0)
    for (const index of linked) this.peers.set(idOf(index), peerOf(idOf(index)))
    this.news = new RingNews({
      id: idOf(50),
      view: this.view,
      random: (count) => new Uint8Array(count),
      line: {
        peers: this.peers,
        talksTo: ({ kind }) => kind === 'ours',
        spread: (payload) => {
          const message = readRingMessage(payload)
          if (message?.type === 'members') this.spread.push(message.members.length)
        },
        send: (to, payload) => {
          const message = readRingMessage(payload)
          if (message?.type === 'passed') this.sent.push({ to, count: message.members.length })
        },
      },
    })
  }

  /** Takes the record into the view, as the keeper does before it tells. */
  merge(member: Member): Member {
    this.view.merge(member, 0)
    return member
  }

  get receivers(): readonly string[] {
    return this.sent.map(({ to }) => to).sort()
  }
}

const linked = [10, 20, 30, 48, 49, 52, 53, 90]

test('a small ring hears by one broadcast of all that came within 50 ms', () => {
  const scene = new Scene(largeRing - 2, linked)
  scene.news.tell(scene.merge(record(idOf(1), 2)), false, at(0))
  scene.news.tell(scene.merge(record(idOf(2), 2)), false, at(40))
  expect(scene.news.nextDeadline()).toBe(50)
  scene.news.send(at(50))
  expect([scene.spread, scene.sent]).toEqual([[2], []])
  expect(scene.news.nextDeadline()).toBe(Infinity)
})

test('in a large one the nearest linked neighbours on both sides hear, and up to two others', () => {
  const scene = new Scene(largeRing, linked)
  scene.news.tell(scene.merge(record(idOf(1), 2)), false, at(0))
  scene.news.send(at(50))
  // Of the others the first is drawn twice.
  expect(scene.receivers).toEqual([idOf(10), idOf(49), idOf(52)].sort())
  expect(scene.spread).toEqual([])
})

test('what is passed on in a large ring is gathered for two seconds', () => {
  const scene = new Scene(largeRing, linked)
  for (let index = 1; index <= 5; index += 1)
    scene.news.tell(scene.merge(record(idOf(index), 2)), true, at(index * 100))
  expect(scene.news.nextDeadline()).toBe(2_100)
  scene.news.send(at(2_100))
  expect(scene.sent.map(({ count }) => count)).toEqual([5, 5, 5])
})

test('all neighbours of our kind hear what a node says of itself', () => {
  const scene = new Scene(largeRing, linked)
  scene.peers.set('old', peerOf('old', 'py2p'))
  scene.news.tell(scene.merge(record(idOf(50), 2)), false, at(0))
  scene.news.send(at(50))
  expect(scene.receivers).toEqual(linked.map(idOf).sort())
})

test('what has been overtaken by newer news is not told', () => {
  const scene = new Scene(largeRing, linked)
  const overtaken = scene.merge(record(idOf(1), 2))
  scene.news.tell(overtaken, false, at(0))
  scene.merge(record(idOf(1), 3))
  scene.news.send(at(50))
  expect([scene.spread, scene.sent]).toEqual([[], []])
})

test('what was passed on in a large ring is never broadcast, whatever size this node sees', () => {
  const scene = new Scene(largeRing - 2, linked)
  scene.news.tell(scene.merge(record(idOf(1), 2)), true, at(0))
  scene.news.send(at(2_000))
  expect([scene.spread, scene.receivers.length]).toEqual([[], 3])
})
