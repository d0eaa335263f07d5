import { expect, test } from '@jest/globals'
import type { LinkId, Peer } from '@p2p/base'
import { createMessage, utf8Encode, type Value, type WireMessage } from '@p2p/serializer'
import { OutgoingStamps } from '../src/protocol/outgoing-stamps.ts'
import { payloadOffset, TwinMessages } from '../src/protocol/twin-messages.ts'
import { inChunk } from './tree-fixtures.ts'

const sender = 'z'.repeat(66)
const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })
const message = (
  time: number,
  payload: readonly Value[] = [0, 'hello'],
  from: string | Uint8Array = sender,
): WireMessage => createMessage({ type: 0, sender: from, time, payload })

const peer = (id: string): Peer => ({
  id,
  link: 1 as LinkId,
  transport: 'tcp',
  kind: 'js2p',
  outgoing: false,
  address: undefined,
  addresses: [],
  supports: () => false,
})
const senderPeer = peer(sender)
const relay = peer('r'.repeat(66))
const tick = 1_500_000_000
const settled = 10_000

/** Twins seen by a node whose neighbour the sender has been for ten seconds. */
function besideSender(): TwinMessages {
  const twins = new TwinMessages()
  twins.addNeighbour(senderPeer, at(0))
  return twins
}

test('equal messages of a far sender stamped one second apart are one when they come together', () => {
  for (const from of ['short', sender, utf8Encode(sender)]) {
    for (const [first, second] of [
      [tick, tick + 1],
      [tick + 1, tick],
    ] as const) {
      const twins = new TwinMessages()
      expect(twins.check(message(first, [0, 'hello'], from), relay, at(0))).toBe(false)
      expect(twins.check(message(second, [0, 'hello'], from), relay, at(750))).toBe(true)
    }
  }
})

test('messages that differ in sender, payload, or more than a second are not', () => {
  const others = [
    message(tick + 1, [0, 'hallo']),
    message(tick + 1, [0, 'hello'], 'y'.repeat(66)),
    message(tick + 2),
    message(tick + 1, [0, 'hello', 1]),
    createMessage({
      type: 0,
      sender,
      time: tick + 1,
      payload: [0, 'hello'],
      tail: Uint8Array.of(1),
    }),
  ]
  for (const other of others) {
    for (const twins of [new TwinMessages(), besideSender()]) {
      expect(twins.check(message(tick), relay, at(settled))).toBe(false)
      expect(twins.check(other, relay, at(settled))).toBe(false)
    }
  }
})

test('what a far sender repeats more than three quarters of a second later is a message', () => {
  const twins = new TwinMessages()
  twins.check(message(tick), relay, at(0))
  expect(twins.check(message(tick + 1), relay, at(751))).toBe(false)
})

test('of twins of a neighbour one is delivered, however late the other comes and in whichever order', () => {
  for (const [first, second] of [
    [senderPeer, relay],
    [relay, senderPeer],
    [relay, relay],
  ] as const) {
    for (const [a, b] of [
      [tick, tick + 1],
      [tick + 1, tick],
    ] as const) {
      const twins = besideSender()
      expect(twins.check(message(a), first, at(settled))).toBe(false)
      expect(twins.check(message(b), second, at(settled + 30_000))).toBe(true)
      // One of them from the sender, and any from others, is no proof.
      const one = message(first === senderPeer ? a : b)
      expect(twins.noteDuplicate(one, senderPeer)).toEqual([])
      expect(twins.noteDuplicate(message(a), relay)).toEqual([])
      expect(twins.noteDuplicate(message(b), relay)).toEqual([])
    }
  }
})

test('what a neighbour repeats every second is delivered each time, relayed copies first or last', () => {
  for (const relayedFirst of [true, false]) {
    const twins = besideSender()
    const delivered: number[] = []
    for (let second = 0; second < 10; second += 1) {
      const repeated = message(tick + second)
      const now = at(settled + 1_000 * second)
      if (!twins.check(repeated, relayedFirst ? relay : senderPeer, now)) delivered.push(second)
      for (const late of twins.noteDuplicate(repeated, relayedFirst ? senderPeer : relay)) {
        delivered.push(late.message.time - tick)
      }
    }
    expect(delivered).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  }
})

test('a message after twins is delivered', () => {
  const twins = besideSender()
  expect(twins.check(message(tick), relay, at(settled))).toBe(false)
  expect(twins.check(message(tick + 1), senderPeer, at(settled + 900))).toBe(true)
  expect(twins.check(message(tick + 2), senderPeer, at(settled + 1_900))).toBe(false)
})

test('when the sender is gone, what it may have repeated is delivered', () => {
  const twins = besideSender()
  twins.check(message(tick), senderPeer, at(settled))
  expect(twins.check(message(tick + 1), relay, at(settled + 1_000))).toBe(true)
  expect(twins.removeNeighbour(senderPeer).map((late) => late.message.time)).toEqual([tick + 1])
  expect(twins.removeNeighbour(senderPeer)).toEqual([])
})

test('what is held back is kept without the chunk that it came in, and delivered as it was', () => {
  const twins = besideSender()
  twins.check(inChunk(message(tick)), senderPeer, at(settled))
  const held = message(tick + 1)
  expect(twins.check(inChunk(held), relay, at(settled + 1_000))).toBe(true)
  const [late] = twins.noteDuplicate(inChunk(held), senderPeer)
  expect(late?.from).toBe(relay)
  const { id, type, time, payload, body } = held
  expect(late?.message).toMatchObject({ id, type, time, payload, body, sender })
  expect(late?.message.body.buffer.byteLength).toBeLessThan(1_000)
})

test('what is held back is delivered when so much comes that it has to be forgotten', () => {
  const much = (count: number): WireMessage => message(tick, [0, count])
  const large = (count: number): WireMessage => message(tick, [0, count, 'x'.repeat(1_048_576)])
  const ofOthers = (count: number): WireMessage => message(tick, [0, 'hello'], `other${count}`)
  for (const [build, count] of [
    [much, 64],
    [large, 4],
    [ofOthers, 16_384],
  ] as const) {
    for (const [gapMs, delivered] of [
      [1_000, [tick + 1]],
      [700, []],
    ] as const) {
      const twins = besideSender()
      twins.check(message(tick), senderPeer, at(settled))
      expect(twins.check(message(tick + 1), relay, at(settled + gapMs))).toBe(true)
      expect(twins.takeReleased()).toEqual([])
      const released: number[] = []
      for (let number = 0; number < count; number += 1) {
        twins.check(build(number), relay, at(settled + 2_000))
        released.push(...twins.takeReleased().map((late) => late.message.time))
      }
      expect(released).toEqual(delivered)
    }
  }
})

test('remembers megabytes of the latest messages at most, however large they are', () => {
  const twins = new TwinMessages()
  const large = (count: number, time: number): WireMessage =>
    message(time, [0, count, 'x'.repeat(1_048_576)])
  for (let number = 0; number < 5; number += 1) twins.check(large(number, tick), relay, at(0))
  expect(twins.check(large(4, tick + 1), relay, at(100))).toBe(true)
  expect(twins.check(large(0, tick + 1), relay, at(100))).toBe(false)
})

test('for a new neighbour time decides: what it sent before comes from others only', () => {
  const twins = new TwinMessages()
  twins.addNeighbour(senderPeer, at(0))
  expect(twins.check(message(tick), relay, at(1_000))).toBe(false)
  expect(twins.check(message(tick + 1), relay, at(2_000))).toBe(false)
  expect(twins.check(message(tick + 2), relay, at(2_100))).toBe(true)
})

test('what we send again after the clock was set back is another message', () => {
  const stamps = new OutgoingStamps()
  const ids = [10, 11, 12, 10.5, 11.5, 12.5].map((utcSeconds) => {
    const { id } = stamps.create({ sender, payload: [0, 'hello'] }, utcSeconds)
    return Buffer.from(id).toString('hex')
  })
  expect(new Set(ids).size).toBe(6)
})

test('what we send again across a tick is no twin', () => {
  const stamps = new OutgoingStamps()
  const twins = new TwinMessages()
  const ids = new Set<string>()
  for (let count = 0; count < 20; count += 1) {
    const utcSeconds = 1_500_000_000.9 + count / 100
    const sent = stamps.create({ sender, payload: [0, 'again'] }, utcSeconds)
    expect(twins.check(sent, relay, at(10 * count))).toBe(false)
    ids.add(sent.id.join())
  }
  expect(ids.size).toBe(20)
})

test('a message that is not repeated is plain, without a tail', () => {
  const stamps = new OutgoingStamps()
  expect(stamps.create({ sender, payload: [0, 'once'] }, 1_500_000_000).tail).toHaveLength(0)
  expect(stamps.create({ sender, payload: [0, 'twice'] }, 1_500_000_000).tail).toHaveLength(0)
  expect(stamps.create({ sender, payload: [0, 'twice'] }, 1_500_000_001).tail).toHaveLength(13)
  expect(stamps.create({ sender, payload: [0, 'once'] }, 1_500_000_002).tail).toHaveLength(0)
})

test('4 MiB are remembered, 64 messages of each sender, the oldest is forgotten for one more', () => {
  const of = (name: number, time = tick): WireMessage =>
    message(time, [0, 'hello'], `sender ${String(name).padStart(5, '0')}`)
  // Each counts for 256 bytes more than its body.
  const maxCount = Math.floor((4 * 1_048_576) / (of(0).body.length + 256))
  const crowded = new TwinMessages()
  for (let name = 0; name <= maxCount; name += 1) crowded.check(of(name), relay, at(0))
  expect(crowded.check(of(0, tick + 1), relay, at(0))).toBe(false)
  expect(crowded.check(of(maxCount, tick + 1), relay, at(0))).toBe(true)
  const full = new TwinMessages()
  for (let name = 1; name <= maxCount; name += 1) full.check(of(name), relay, at(0))
  expect(full.check(of(1, tick + 1), relay, at(0))).toBe(true)
  const busy = new TwinMessages()
  for (let number = 0; number <= 64; number += 1)
    busy.check(message(tick, [0, number]), relay, at(0))
  expect(busy.check(message(tick + 1, [0, 1]), relay, at(0))).toBe(true)
  expect(busy.check(message(tick + 1, [0, 0]), relay, at(0))).toBe(false)
})

test('a node of ours sends no twins: what it brings itself is never held back', () => {
  const twins = new TwinMessages()
  const ours = { ...senderPeer, kind: 'ours' as const }
  for (const time of [tick, tick + 1]) expect(twins.check(message(time), ours, at(0))).toBe(false)
})

test('a message that was never heard of proves nothing', () => {
  expect(besideSender().noteDuplicate(message(tick), senderPeer)).toEqual([])
})

test('when the sender is gone, twins that came together stay one', () => {
  const twins = besideSender()
  twins.check(message(tick), relay, at(settled))
  expect(twins.check(message(tick + 1), relay, at(settled + 100))).toBe(true)
  expect(twins.removeNeighbour(senderPeer)).toEqual([])
})

test('the payload begins behind the time, in every way in which programs write a sender', () => {
  const offsetOf = (of: WireMessage): number | undefined => payloadOffset(of.body)
  const many = Array.from({ length: 20 }, () => 0)
  expect(offsetOf(message(tick, [0], 'short'))).toBe(2 + 6 + 5)
  expect(offsetOf(message(tick))).toBe(2 + 68 + 5)
  expect(offsetOf(message(tick, [0], utf8Encode(sender)))).toBe(2 + 68 + 5)
  expect(offsetOf(message(tick, many, 'short'))).toBe(4 + 6 + 5)
  expect(offsetOf(message(5, [0], 'short'))).toBeUndefined() // a time in one byte
  expect(offsetOf(message(tick, [0], 's'.repeat(300)))).toBeUndefined()
  expect(payloadOffset(Uint8Array.of(0xc0))).toBeUndefined()
  expect(payloadOffset(Uint8Array.of(0x94, 0, 7))).toBeUndefined()
})
