import { expect, test } from '@jest/globals'
import { createMessage, utf8Encode, type Value, type WireMessage } from '@p2p/serializer'
import { OutgoingStamps } from '../src/protocol/outgoing-stamps.ts'
import { TwinMessages } from '../src/protocol/twin-messages.ts'

const sender = 'z'.repeat(66)
const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })
const message = (
  time: number,
  payload: readonly Value[] = [0, 'hello'],
  from: string | Uint8Array = sender,
): WireMessage => createMessage({ type: 0, sender: from, time, payload })

test('equal messages stamped one second apart are one when they come together', () => {
  for (const from of ['short', sender, utf8Encode(sender)]) {
    for (const [first, second] of [
      [1_500_000_000, 1_500_000_001],
      [1_500_000_001, 1_500_000_000],
    ] as const) {
      const twins = new TwinMessages()
      expect(twins.check(message(first, [0, 'hello'], from), at(0))).toBe(false)
      expect(twins.check(message(second, [0, 'hello'], from), at(750))).toBe(true)
    }
  }
})

test('messages that differ in sender, payload, or more than a second are not', () => {
  const time = 1_500_000_000
  const others = [
    message(time + 1, [0, 'hallo']),
    message(time + 1, [0, 'hello'], 'y'.repeat(66)),
    message(time + 2),
    message(time + 1, [0, 'hello', 1]),
    createMessage({
      type: 0,
      sender,
      time: time + 1,
      payload: [0, 'hello'],
      tail: Uint8Array.of(1),
    }),
  ]
  for (const other of others) {
    const twins = new TwinMessages()
    twins.check(message(time), at(0))
    expect(twins.check(other, at(0))).toBe(false)
  }
})

test('a message repeated more than three quarters of a second later is a message', () => {
  const twins = new TwinMessages()
  twins.check(message(1_500_000_000), at(0))
  expect(twins.check(message(1_500_000_001), at(751))).toBe(false)
})

test('what we send again across a tick is no twin', () => {
  const stamps = new OutgoingStamps()
  const twins = new TwinMessages()
  const ids = new Set<string>()
  for (let count = 0; count < 20; count += 1) {
    const utcSeconds = 1_500_000_000.9 + count / 100
    const sent = stamps.create({ sender, payload: [0, 'again'] }, utcSeconds)
    expect(twins.check(sent, at(10 * count))).toBe(false)
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
