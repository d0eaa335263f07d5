import { expect, test } from '@jest/globals'
import type { LinkEvents } from '@p2p/base'
import { RelayLink } from '../../src/punch/relay-link.ts'

/** A relay link with the test as the rendezvous connection below it, and a log of everything. */
function relayed(mayGoOn: () => boolean = () => true): {
  link: RelayLink
  log: string[]
  events: LinkEvents
} {
  const log: string[] = []
  const link = new RelayLink({
    remote: 'tcp://10.0.0.2:4444',
    send: (bytes) => {
      log.push(`send ${bytes.length}`)
      return mayGoOn()
    },
    end: () => log.push('end'),
    queuedBytes: () => 7,
  })
  const events: LinkEvents = {
    onBytes: (bytes) => log.push(`got ${bytes.length}`),
    onDrain: () => log.push('drain'),
    onClose: (error) => log.push(`closed ${String(error)}`),
  }
  return { link, log, events }
}

test('what is sent leaves in pieces of 16 KiB, nothing lost and nothing added', () => {
  const { link, log } = relayed()
  link.send(new Uint8Array(16_384))
  link.send(new Uint8Array(2 * 16_384 + 1))
  expect(log).toEqual(['send 16384', 'send 16384', 'send 16384', 'send 1'])
})

test('the sender is held back when the rendezvous connection is, and let go with it', () => {
  let isFull = false
  const { link, log, events } = relayed(() => !isFull)
  link.attach(events)
  expect(link.send(new Uint8Array(1))).toBe(true)
  isFull = true
  expect(link.send(new Uint8Array(1))).toBe(false)
  expect(link.queuedBytes).toBe(7)
  link.onDrain()
  expect(log.at(-1)).toBe('drain')
})

test('what comes before somebody listens is kept in order, and then the end', () => {
  const { link, log, events } = relayed()
  link.onBytes(new Uint8Array(1))
  link.onBytes(new Uint8Array(2))
  link.onEnded()
  link.attach(events)
  expect(log).toEqual(['got 1', 'got 2', 'closed undefined'])
})

test('it ends once, whoever ends it, and is silent afterwards', () => {
  const { link, log, events } = relayed()
  link.attach(events)
  link.close()
  link.destroy()
  link.onEnded()
  link.onBytes(new Uint8Array(1))
  link.onDrain()
  link.send(new Uint8Array(1))
  expect(log).toEqual(['end', 'closed undefined'])
})

test('the end of the other side is not answered with an end', () => {
  const { link, log, events } = relayed()
  link.attach(events)
  link.onEnded()
  link.close()
  expect(log).toEqual(['closed undefined'])
})

test('of what comes before somebody owns the link a mebibyte is kept, with more it ends', () => {
  const { link, log, events } = relayed()
  const piece = new Uint8Array(16_384)
  for (let count = 0; count < 64; count += 1) link.onBytes(piece)
  expect(log).toEqual([])
  link.onBytes(new Uint8Array(1))
  expect(log).toEqual(['end'])
  link.attach(events)
  expect(log.at(-1)).toBe('closed undefined')
})

test('an owner who ends it while it hears what came before hears nothing more, and the end once', () => {
  const { link, log, events } = relayed()
  for (let count = 1; count <= 3; count += 1) link.onBytes(new Uint8Array(count))
  link.attach({
    ...events,
    onBytes: (bytes) => {
      events.onBytes(bytes)
      link.close()
    },
  })
  expect(log).toEqual(['got 1', 'end', 'closed undefined'])
})
