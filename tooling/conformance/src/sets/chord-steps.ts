/**
 * One step of a hash table node among neighbours that play py2p: what it held, what came or was
 * called, then what it stores, lists and sends. The whole machine is put through the step over links.
 */
import assert from 'node:assert/strict'
import { defaultLimits } from '@p2p/base'
import type { Now } from '@p2p/base'
import { ChordMachine, hashTableNamed } from '@p2p/chord'
import type { ChordEffect, ChordInput } from '@p2p/chord'
import {
  FrameSplitter,
  createMessage,
  decodeFrame,
  decodeValue,
  encodeFrame,
  encodeValue,
  flags,
  networkId,
  utf8Encode,
} from '@p2p/serializer'
import type { Value, WireMessage } from '@p2p/serializer'
import * as z from 'zod'
import { caseChecks, differs } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { assertValue, tagged, valueOf } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'
import { integerOf, slotAt } from './chord.ts'

const stored = z.array(z.tuple([z.string(), z.string(), tagged]))

const stepCase = z.object({
  name: z.string(),
  self: z.string(),
  leeching: z.boolean(),
  peers: z.array(z.object({ id: z.string(), leeching: z.boolean() })),
  from: z.string(),
  stored,
  keys: z.array(tagged),
  pending: z.array(z.array(tagged)),
  action: z.discriminatedUnion('do', [
    z.object({ do: z.literal('set'), key: tagged, value: tagged }),
    z.object({ do: z.literal('del'), key: tagged }),
    z.object({ do: z.literal('message'), packets: z.array(tagged) }),
    z.object({ do: z.literal('lookup'), method: z.string(), key: z.string() }),
  ]),
  py2p: z.object({
    error: z.string().nullable(),
    events: z.array(z.tuple([z.string(), tagged])),
    sent: z.array(z.tuple([z.string(), z.array(tagged)])),
    stored,
    keys: z.array(tagged),
    peer_leeching_after: z.record(z.string(), z.boolean()),
  }),
})

type Step = z.infer<typeof stepCase>

export const chordSteps: FixtureSet = {
  name: 'chord-steps',
  describes: (file) => file.name === 'chord-steps',
  checks: (file) =>
    caseChecks(file, stepCase, (fixture) => [
      { name: fixture.name, run: () => checkStep(fixture) },
    ]),
}

const subnet = 'chord'
const utcSeconds = 1_500_000_000
const timeoutMs = 10_000
/** Sub-flags whose messages both nodes are to send alike. */
const metaFlag = 5
const retrieveFlag = 12
const peersFlag = 7

interface Sent {
  readonly peer: string
  readonly message: WireMessage
}

/** As long as the originals wait before they look for answers. */
const answeredWithinMs = 100

/** A chord machine whose neighbours are links that a check speaks on. */
class SteppedNode {
  readonly machine: ChordMachine
  readonly effects: ChordEffect[] = []
  readonly #splitters = new Map<number, FrameSplitter>()
  readonly #peers: readonly string[]
  #sent: Sent[] = []
  #monoMs = 0

  constructor(step: Step) {
    this.machine = new ChordMachine({
      id: step.self,
      subnet,
      limits: defaultLimits,
      randomBytes: (count) => new Uint8Array(count),
      extensions: false,
      methods: [],
    })
    this.#peers = step.peers.map(({ id }) => id)
    if (!step.leeching) this.give({ type: 'join' })
    for (const [link, { id, leeching }] of step.peers.entries()) {
      const remote = 'tcp://127.0.0.1:50000'
      this.give({ type: 'link-open', link, transport: 'tcp', remote, dial: undefined })
      const protocol = networkId({ subnet, encryption: 'Plaintext' })
      const address = ['127.0.0.1', 1]
      this.hear(id, [flags.handshake, utf8Encode(id), protocol, address, []])
      if (!leeching) this.hear(id, [metaFlag, '0'])
    }
    const version = { time: 1, writer: '' }
    for (const [table, hex, value] of step.stored) {
      this.machine.slots.put(slotOf(table, hex), { value: encodeValue(valueOf(value)), version })
    }
    for (const key of step.keys) this.machine.keys.add(keyOf(key))
    this.takeSent()
    this.effects.length = 0
  }

  hear(peer: string, payload: readonly Value[]): void {
    const message = createMessage({
      type: flags.whisper,
      sender: utf8Encode(peer),
      time: utcSeconds,
      payload,
    })
    const link = this.#peers.indexOf(peer)
    this.give({ type: 'link-bytes', link, bytes: encodeFrame(message) })
  }

  give(input: ChordInput): void {
    this.#monoMs += 1
    const now: Now = { monoMs: this.#monoMs, utcSeconds }
    for (const effect of this.machine.handle(input, now)) {
      this.effects.push(effect)
      if (effect.type !== 'send') continue
      const splitter = this.#splitters.get(effect.link) ?? new FrameSplitter()
      this.#splitters.set(effect.link, splitter)
      for (const frame of splitter.push(effect.bytes)) {
        const peer = this.#peers[effect.link] ?? ''
        this.#sent.push({ peer, message: decodeFrame(frame) })
      }
    }
  }

  wait(durationMs: number): void {
    this.#monoMs += durationMs
    this.give({ type: 'deadline' })
  }

  takeSent(): readonly Sent[] {
    const sent = this.#sent
    this.#sent = []
    return sent
  }
}

function slotOf(table: string, hex: string): ReturnType<typeof slotAt> {
  const named = hashTableNamed(table)
  assert.ok(named !== undefined, `no table ${table}`)
  return slotAt(named, hex)
}

function keyOf(key: Tagged): Uint8Array {
  const value = valueOf(key)
  assert.ok(typeof value === 'string' || value instanceof Uint8Array, 'a key is text or bytes')
  return typeof value === 'string' ? utf8Encode(value) : value
}

function checkStep(step: Step): Verdict | undefined {
  const node = new SteppedNode(step)
  act(step, node)
  assert.ok(!node.effects.some(({ type }) => type === 'close'), 'no link is closed')
  const sent = node.takeSent()
  checkPeers(step, node)
  const difference = differenceOf(step, node, sent)
  if (difference !== undefined) return difference
  assert.equal(step.py2p.error, null)
  checkStored(step.py2p.stored, node)
  checkKeys(step, node)
  checkSent(step, sent)
  return undefined
}

function act({ action, from }: Step, node: SteppedNode): void {
  const request = 1
  switch (action.do) {
    case 'set':
      node.give({
        type: 'write',
        request,
        key: keyOf(action.key),
        value: encodeValue(valueOf(action.value)),
        timeoutMs,
      })
      return
    case 'del':
      node.give({ type: 'write', request, key: keyOf(action.key), value: null, timeoutMs })
      return
    case 'message':
      node.hear(from, action.packets.map(valueOf))
      // A question is answered a moment later: py2p notes only after sending it that it asked.
      node.wait(answeredWithinMs)
      return
    case 'lookup': {
      const slot = slotOf(action.method, action.key)
      assert.equal(node.machine.storingNodes.ownerOf(slot.position)?.id, node.machine.id)
    }
  }
}

/** Each way in which a step ends otherwise than in py2p, with what has to hold then. */
function differenceOf(step: Step, node: SteppedNode, sent: readonly Sent[]): Verdict | undefined {
  const { action, py2p } = step
  if (py2p.error !== null) {
    assert.deepEqual(sent, [])
    checkStored(step.stored, node)
    return differs('survives-bad-writes')
  }
  if (action.do === 'set' && action.value.t === 'nil') {
    const payloads = sent.map(({ message }) => message.payload)
    const asked = payloads.filter(([subFlag]) => subFlag === retrieveFlag)
    assert.equal(asked.length, 5, 'all owners are asked before anything is deleted')
    return differs('deletes-what-is-there')
  }
  const goesBack = py2p.sent.some(([peer]) => action.do === 'message' && peer === step.from)
  const subFlag = action.do === 'message' ? valueOf(action.packets[0] ?? { t: 'nil' }) : undefined
  if (!goesBack || !step.leeching || subFlag === metaFlag) return undefined
  if (subFlag === retrieveFlag) {
    assert.equal(sent.length, 1)
    const expected = py2p.sent.find(
      ([, payload]) => payload[1]?.t === 'int' && payload.length === 5,
    )
    assertPayload(sent[0], expected)
    return differs('nothing-goes-back')
  }
  assert.deepEqual(sent, [])
  assert.equal(node.machine.slots.size, step.stored.length + 1)
  return differs('nothing-goes-back')
}

function checkPeers({ py2p }: Step, node: SteppedNode): void {
  for (const [id, leeching] of Object.entries(py2p.peer_leeching_after)) {
    assert.equal(node.machine.storingNodes.has(id), !leeching, id)
  }
}

function checkStored(expected: Step['stored'], node: SteppedNode): void {
  assert.equal(node.machine.slots.size, expected.length, 'slots stored')
  for (const [table, hex, value] of expected) {
    const held = node.machine.slots.get(slotOf(table, hex))?.value
    assert.ok(held !== undefined, `${table} ${integerOf(hex)} is not stored`)
    assertValue(decodeValue(held), value)
  }
}

function checkKeys({ py2p }: Step, node: SteppedNode): void {
  assert.deepEqual([...node.machine.keys.values()], py2p.keys.map(keyOf))
  const events = node.effects.flatMap((effect) => {
    if (effect.type === 'key-added') return [{ event: 'add', key: effect.key }]
    return effect.type === 'key-removed' ? [{ event: 'delete', key: effect.key }] : []
  })
  assert.deepEqual(
    events,
    py2p.events.map(([event, key]) => ({ event, key: keyOf(key) })),
  )
}

/**
 * All that py2p sends, to the same neighbours in the same order. Beyond it we may only ask back what we
 * have stored; that is how a write is acknowledged. The peers list is the mesh's, and only has to be
 * there; the keys were told when the neighbour came, and need not be told again.
 */
function checkSent(step: Step, sent: readonly Sent[]): void {
  const isCall = step.action.do === 'set'
  const ours = sent.filter(({ message }) => !isCall || message.payload[0] !== retrieveFlag)
  const expected = step.py2p.sent.filter(
    ([, [type, subFlag]]) =>
      !(step.action.do === 'message' && isInteger(type, 2) && isInteger(subFlag, 6)),
  )
  const order = [...new Set(step.py2p.sent.map(([peer]) => peer))]
  const sorted = order.flatMap((peer) => ours.filter((one) => one.peer === peer))
  assert.equal(ours.length, sorted.length, 'sent to neighbours that py2p leaves alone')
  assert.equal(sorted.length, expected.length, 'messages sent')
  for (const [at, recorded] of expected.entries()) {
    if (isInteger(recorded[1][1], peersFlag)) {
      assert.equal(sorted[at]?.message.payload[0], peersFlag)
    } else assertPayload(sorted[at], recorded)
  }
}

function isInteger(value: Tagged | undefined, number: number): boolean {
  return value?.t === 'int' && value.v === String(number)
}

function assertPayload(
  sent: Sent | undefined,
  expected: Step['py2p']['sent'][number] | undefined,
): void {
  assert.ok(sent !== undefined && expected !== undefined, 'nothing was sent')
  const [peer, values] = expected
  assert.equal(sent.peer, peer)
  assertValue([sent.message.type, ...sent.message.payload], { t: 'array', v: values })
}
