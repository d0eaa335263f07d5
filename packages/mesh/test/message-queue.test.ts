import { expect, test } from '@jest/globals'
import { MessageQueue, resolveQueueLimits, type QueuedMessage } from '../src/message-queue.ts'

const message = (name: number, byteLength = 1): QueuedMessage => ({
  frame: new Uint8Array(byteLength),
  via: `${name}`,
})

test('messages come out in the order they went in, also after many', () => {
  const queue = new MessageQueue({ maxMessages: 500, maxBytes: 500 })
  let next = 0
  for (let name = 0; name < 1_000; name += 1) {
    queue.push(message(name))
    if (name % 3 === 0) continue
    expect(queue.take()?.via).toBe(`${next}`)
    next += 1
  }
  expect(queue.size).toBe(1_000 - next)
  expect(queue.dropped).toBe(0)
})

test('at the limit the oldest is dropped and counted, by number and by bytes', () => {
  const queue = new MessageQueue({ maxMessages: 3, maxBytes: 10 })
  for (const name of [1, 2, 3]) queue.push(message(name))
  expect(queue.dropped).toBe(0)
  queue.push(message(4))
  expect(queue.take()?.via).toBe('2')
  queue.push(message(5, 9))
  expect(queue.dropped).toBe(2)
  expect([queue.take()?.via, queue.take()?.via, queue.take()]).toEqual(['4', '5', undefined])
  queue.push(message(6, 99))
  expect(queue.take()?.via).toBe('6')
})

test('limits that make no sense are refused, and the text names what is wrong', () => {
  const whole = { maxMessages: 1_024, maxBytes: 16_777_216 }
  expect(resolveQueueLimits()).toEqual(whole)
  expect(resolveQueueLimits({ maxBytes: 5 })).toEqual({ ...whole, maxBytes: 5 })
  for (const maxMessages of [NaN, '10', -1, 0, null, undefined]) {
    const resolve = (): unknown => resolveQueueLimits({ maxMessages } as never)
    expect(resolve).toThrow(RangeError)
    expect(resolve).toThrow('maxMessages must be a number above 0')
  }
  expect(() => resolveQueueLimits({ maxMesages: 1 } as never)).toThrow('did you mean "maxMessages"')
  for (const queue of [5, null, 'long']) {
    expect(() => resolveQueueLimits(queue as never)).toThrow(TypeError)
    expect(() => resolveQueueLimits(queue as never)).toThrow('queue must be an object')
  }
})
