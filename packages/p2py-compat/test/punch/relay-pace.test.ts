import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import type { OutgoingMessage } from '../../src/protocol/messages.ts'
import { RateLimit } from '../../src/protocol/rate-limit.ts'
import { defaultRendezvousLimits } from '../../src/protocol/rendezvous-machine.ts'
import { RelayPace } from '../../src/punch/relay-pace.ts'

let sent: string[]
let drained: string[]
let pace: RelayPace
let isFull: boolean

beforeEach(() => {
  jest.useFakeTimers()
  sent = []
  drained = []
  isFull = false
  pace = new RelayPace({
    send: (message) => {
      sent.push(message.type)
      return !isFull
    },
    onSent: (token) => drained.push(token),
  })
})

afterEach(() => {
  jest.useRealTimers()
})

const message = (type: string): OutgoingMessage => ({ type })

/** As much as is sent at once; what comes next waits. */
function sendBurst(): void {
  while (pace.send('burst', message('burst')));
  sent = []
}

test('two messages of 16 MiB go through at a pace that the server takes', () => {
  const server = new RateLimit(defaultRendezvousLimits.maxRelayedPerSecond)
  const pieces = 2 * 1_024 + 20
  for (let count = 0; count < pieces; count += 1) pace.send('a', message('a'))
  let taken = 0
  for (;;) {
    for (; taken < sent.length; taken += 1) expect(server.take(performance.now())).toBe(true)
    if (jest.getTimerCount() === 0) break
    jest.advanceTimersToNextTimer()
  }
  expect([taken, drained]).toEqual([pieces, ['a']])
})

test('what waits is sent in order, one of each relay after the other', () => {
  sendBurst()
  for (const type of ['a1', 'a2', 'a3']) expect(pace.send('a', message(type))).toBe(false)
  expect(pace.send('b', message('b1'))).toBe(false)
  expect([pace.isWaiting('b'), pace.isWaiting('c')]).toEqual([true, false])
  jest.runAllTimers()
  expect(sent).toEqual(['burst', 'a1', 'b1', 'a2', 'a3'])
  expect(drained).toEqual(['burst', 'b', 'a'])
  expect(pace.isWaiting('b')).toBe(false)
})

test('while the connection is full nobody is told to go on', () => {
  isFull = true
  expect(pace.send('a', message('a'))).toBe(false)
  isFull = false
  sendBurst()
  isFull = true
  pace.send('a', message('a'))
  jest.runAllTimers()
  expect([sent, drained]).toEqual([['burst', 'a'], []])
})

test('what waits for somebody who is gone is not sent', () => {
  sendBurst()
  pace.send('a', message('a'))
  pace.send('b', message('b'))
  pace.forget('a')
  jest.runAllTimers()
  expect(sent).toEqual(['burst', 'b'])
  sendBurst()
  pace.clear()
  expect(jest.getTimerCount()).toBe(0)
  jest.advanceTimersByTime(1_000)
  expect(pace.send('a', message('a'))).toBe(true)
  expect(sent).toEqual(['a'])
})
