/** What a neighbour that means harm can say to a hash table node. */
import { expect, test } from '@jest/globals'
import { defaultLimits } from '@p2p/base'
import {
  createMessage,
  encodeBase58Integer,
  encodeFrame,
  flags,
  networkId,
  utf8Encode,
} from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import { ChordMachine } from '../src/protocol/chord.ts'
import type { ChordEffect, ChordInput } from '../src/protocol/chord-contract.ts'
import { slotsOf } from '../src/protocol/hash-tables.ts'
import { maxOpenQuestions } from '../src/protocol/open-questions.ts'

const key = utf8Encode('key')
const utcSeconds = 1_500_000_000

/** A leeching node with two neighbours: an owner that stores, and a leeching stranger. */
class Scene {
  readonly owner = encodeBase58Integer(1n << 380n)
  readonly stranger = encodeBase58Integer(1n << 379n)
  readonly machine = new ChordMachine({
    id: encodeBase58Integer(1n << 381n),
    subnet: 'chord',
    limits: defaultLimits,
    randomBytes: (count) => new Uint8Array(count),
    extensions: false,
    maxKeys: 3,
  })
  readonly effects: ChordEffect[] = []

  constructor() {
    for (const [link, id] of [this.owner, this.stranger].entries()) {
      const remote = 'tcp://127.0.0.1:50000'
      this.give({ type: 'link-open', link, transport: 'tcp', remote, dial: undefined })
      const protocol = networkId({ subnet: 'chord', encryption: 'Plaintext' })
      this.hear(id, [flags.handshake, utf8Encode(id), protocol, ['127.0.0.1', 1], []])
    }
    this.hear(this.owner, [5, '0'])
  }

  give(input: ChordInput): void {
    this.effects.push(...this.machine.handle(input, { monoMs: 1, utcSeconds }))
  }

  hear(peer: string, payload: readonly Value[]): void {
    const sender = utf8Encode(peer)
    const message = createMessage({ type: flags.whisper, sender, time: utcSeconds, payload })
    const link = peer === this.owner ? 0 : 1
    this.give({ type: 'link-bytes', link, bytes: encodeFrame(message) })
  }

  endedReads(): readonly ChordEffect[] {
    return this.effects.filter(({ type }) => type === 'read-ended')
  }
}

test('answers that a stranger forges decide no read; those of the owner do', () => {
  const scene = new Scene()
  scene.give({ type: 'read', request: 1, key, timeoutMs: 10_000 })
  const slots = slotsOf(key)
  for (const { table, slotText } of slots) {
    scene.hear(scene.stranger, [13, table, slotText, 'forged'])
  }
  expect(scene.endedReads()).toEqual([])
  for (const { table, slotText } of slots) scene.hear(scene.owner, [13, table, slotText, 'v'])
  expect(scene.endedReads()).toMatchObject([{ result: { type: 'found' } }])
})

test('bad tables, slots and metas cost nobody a link and store nothing', () => {
  const scene = new Scene()
  const bad: readonly (readonly Value[])[] = [
    [11, '__proto__', '2', 1],
    [11, 'sha1', '0OIl', 1],
    [11, 'sha1', 'z'.repeat(10_000), 1],
    [17, 'sha1', '2', 'no mapping'],
    [13, 'sha1', '2', 1],
    [12, null, null],
    [5, null],
    [6, 7],
  ]
  for (const payload of bad) scene.hear(scene.stranger, payload)
  expect(scene.machine.peers.size).toBe(2)
  expect(scene.machine.slots.size).toBe(0)
  // All but the answer that nobody asked for, which is well-formed.
  expect(scene.machine.counters()).toMatchObject({ invalidMessages: bad.length - 1 })
})

test('a flood of questions is passed on up to the limit, and no further', () => {
  const scene = new Scene()
  for (let slot = 1; slot <= maxOpenQuestions + 100; slot += 1) {
    scene.hear(scene.stranger, [12, 'sha1', encodeBase58Integer(BigInt(slot))])
  }
  expect(scene.machine.counters()).toMatchObject({ openQuestions: maxOpenQuestions })
})

test('a flood of keys fills the list and stops there', () => {
  const scene = new Scene()
  for (let name = 0; name < 10; name += 1) scene.hear(scene.stranger, [6, `key ${name}`])
  expect(scene.machine.keys.size).toBe(3)
})
