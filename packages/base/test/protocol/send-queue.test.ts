import { describe, expect, test } from '@jest/globals'
import type { SendPriority } from '../../src/protocol/link.ts'
import { SendQueue } from '../../src/protocol/send-queue.ts'

const limits = {
  maxQueuedBytes: 100,
  maxOwnQueuedBytes: 300,
  fullQueueGraceMs: 2_000,
  stalledLinkTimeoutMs: 30_000,
}
const frame = (fill: number, length = 40): Uint8Array => new Uint8Array(length).fill(fill)

function drain(queue: SendQueue): number[] {
  const fills: number[] = []
  for (let bytes = queue.take(); bytes !== undefined; bytes = queue.take()) fills.push(...bytes)
  return [...new Set(fills)]
}

describe('SendQueue', () => {
  test('gathers waiting frames into one write, in order', () => {
    const queue = new SendQueue(limits)
    queue.push(frame(1), 'own', 0)
    queue.push(frame(2), 'relay', 0)
    expect(queue.take()).toEqual(Uint8Array.of(...frame(1), ...frame(2)))
    expect(queue.take()).toBeUndefined()
    expect(queue.queuedBytes).toBe(80)
    queue.onWritten(1)
    expect(queue.queuedBytes).toBe(0)
  })

  test('takes what fits exactly and drops a relayed frame that is one byte too many', () => {
    const queue = new SendQueue(limits)
    expect(queue.push(frame(1, 100), 'own', 0)).toBe('queued')
    expect(queue.push(frame(2, 1), 'relay', 0)).toBe('dropped')
    expect(queue.counters).toEqual({ droppedAnnouncements: 0, droppedRelays: 1 })
  })

  test('drops announcements before relayed payload, and the oldest first', () => {
    const queue = new SendQueue(limits)
    queue.push(frame(1), 'relay', 0)
    queue.push(frame(2), 'announce', 0)
    expect(queue.push(frame(3), 'own', 0)).toBe('queued')
    expect(queue.push(frame(4), 'own', 0)).toBe('queued')
    expect(queue.counters).toEqual({ droppedAnnouncements: 1, droppedRelays: 1 })
    expect(drain(queue)).toEqual([3, 4])
  })

  test('drops down to seven eighths at once, so that not each frame goes through the whole queue', () => {
    const queue = new SendQueue({ ...limits, maxQueuedBytes: 800 })
    for (let fill = 1; fill <= 80; fill += 1) queue.push(frame(fill, 10), 'relay', 0)
    expect(queue.push(frame(81, 10), 'relay', 0)).toBe('queued')
    expect(queue.queuedBytes).toBe(700)
    for (let fill = 82; fill <= 91; fill += 1) queue.push(frame(fill, 10), 'relay', 0)
    expect(queue.counters.droppedRelays).toBe(11)
    expect(drain(queue)).toEqual(Array.from({ length: 80 }, (_, index) => 12 + index))
  })

  test('goes through a queue of our own messages for no frame that has nothing to displace there', () => {
    const queue = new SendQueue({ ...limits, maxOwnQueuedBytes: Infinity })
    const startedMs = performance.now()
    for (let count = 0; count < 20_000; count += 1) queue.push(frame(1, 1), 'own', 0)
    for (let count = 0; count < 1_000; count += 1) queue.push(frame(2, 1), 'relay', 0)
    // A hundredth of it is usual; to look at all that waits each time takes several seconds.
    expect(performance.now() - startedMs).toBeLessThan(1_000)
    expect(queue.counters.droppedRelays).toBe(1_000)
  })

  test('takes a relayed frame that is longer than the limit where nothing else waits, and only there', () => {
    const queue = new SendQueue(limits)
    expect(queue.push(frame(1, 101), 'relay', 0)).toBe('queued')
    expect(queue.push(frame(2, 1), 'announce', 0)).toBe('dropped')
    expect(drain(queue)).toEqual([1])
    queue.onWritten(1)
    expect(queue.push(frame(3, 1), 'own', 1)).toBe('queued')
    expect(queue.push(frame(4, 101), 'relay', 1)).toBe('dropped')
    expect(drain(queue)).toEqual([3])
  })

  test('an announcement never displaces relayed payload', () => {
    const queue = new SendQueue(limits)
    queue.push(frame(1), 'relay', 0)
    queue.push(frame(2), 'relay', 0)
    expect(queue.push(frame(3), 'announce', 0)).toBe('dropped')
    expect(drain(queue)).toEqual([1, 2])
  })

  test.each<SendPriority>(['own', 'control'])(
    'lets %s frames exceed the limit on a link that moves, and asks to cut one that does not',
    (priority) => {
      const queue = new SendQueue(limits)
      for (const fill of [1, 2, 3]) queue.push(frame(fill), priority, 0)
      expect(queue.queuedBytes).toBe(120)
      expect(queue.push(frame(4), priority, 1_999)).toBe('queued')
      expect(queue.push(frame(5), priority, 2_000)).toBe('overflow')
    },
  )

  test('asks to cut a link above the upper limit even while it moves', () => {
    const queue = new SendQueue(limits)
    expect(queue.push(frame(1, 300), 'own', 0)).toBe('queued')
    expect(queue.push(frame(2, 1), 'own', 0)).toBe('overflow')
  })

  test('counts as stalled when nothing moved for the stated time while bytes wait', () => {
    const queue = new SendQueue(limits)
    expect(queue.nextDeadline()).toBe(Infinity)
    queue.push(frame(1), 'own', 1_000)
    queue.take()
    expect(queue.nextDeadline()).toBe(31_000)
    expect(queue.isStalled(30_999)).toBe(false)
    expect(queue.isStalled(31_000)).toBe(true)
    queue.onWritten(31_000)
    expect(queue.isStalled(99_000)).toBe(false)
  })

  test('from the moment it is told, puts fillers between frames that would trip py2p', () => {
    const queue = new SendQueue({ ...limits, maxQueuedBytes: 10_000 })
    queue.push(frame(1, 1020), 'own', 0)
    expect(queue.take()?.length).toBe(1020)
    queue.useFramingForPython()
    queue.push(frame(2, 1020), 'own', 0)
    queue.push(frame(3, 50), 'own', 0)
    const bytes = queue.take() ?? new Uint8Array(0)
    expect(bytes.length).toBeGreaterThan(1070)
    expect(bytes.subarray(-50)).toEqual(frame(3, 50))
    expect(queue.queuedBytes).toBe(1020 + bytes.length)
  })
})
