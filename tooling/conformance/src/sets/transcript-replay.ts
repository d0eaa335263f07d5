/**
 * Our peer layer, and for mesh captures our mesh, in the place of each recorded node. Ours must never
 * throw; must say of itself what the node said, byte for byte; must open the peers and hand up every
 * message; and may close a link only for a reason that stands in the recording.
 */
import assert from 'node:assert/strict'
import { defaultLimits, Peers } from '@p2p/base'
import type { PeersEffect } from '@p2p/base'
import { MeshMachine } from '@p2p/mesh'
import type { MeshEffect } from '@p2p/mesh'
import { decodableMethods, decodeFrame, flags, idText, wholeNumber } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import * as z from 'zod'
import type { Check, Verdict } from '../fixture-set.ts'
import { skipped } from '../fixture-set.ts'
import { hexOf } from '../recorded-bytes.ts'
import { contentOf, isHandshake, readNode } from '../recorded-node.ts'
import type { RecordedNode } from '../recorded-node.ts'
import { closesIn, Replay, sendsIn } from '../replay.ts'
import type { ReplayStep } from '../replay.ts'
import type { Transcript } from '../transcript.ts'

/** One check per recorded node and machine. */
export function* replayChecks(transcript: Transcript, document: unknown): Iterable<Check> {
  for (const name of Object.keys(transcript.nodes)) {
    const node = readNode(transcript, name)
    if (node === undefined) {
      const reason = 'a node is described in a way this set does not know'
      yield { name: `in the place of ${name}`, run: () => skipped(reason) }
      continue
    }
    yield { name: `handshakes of ${name}`, run: () => checkHandshakes(transcript, name, node) }
    yield {
      name: `peer layer in the place of ${name}`,
      run: () => replayPeers(transcript, name, node),
    }
    if (node.kind !== 'mesh') continue
    const reported = reportedMessages(document, name)
    yield {
      name: `mesh in the place of ${name}`,
      run: () => replayMesh(transcript, name, node, reported),
    }
  }
}

/** A plain node of 0.7, so that what it sends can be compared with what was recorded. */
function optionsOf(node: RecordedNode) {
  return {
    id: node.id,
    idEncoding: node.idEncoding,
    subnet: node.subnet,
    limits: defaultLimits,
    randomBytes: (count: number): Uint8Array => new Uint8Array(count).fill(7),
    extensions: false,
  }
}

/** What we write: a method that we do not write is not offered. */
function offered(node: RecordedNode): readonly number[] {
  return node.methods.filter((method) => decodableMethods.includes(method))
}

/** What the recorded node sent of itself, we would have sent byte for byte. */
function checkHandshakes(
  transcript: Transcript,
  name: string,
  node: RecordedNode,
): Verdict | undefined {
  if (!node.hasTextNetworkId) {
    return skipped('bytes as network id: the development branch of py2p met no other program')
  }
  for (const entry of transcript.entries) {
    if (entry.kind !== 'frame' || entry.from !== name) continue
    const content = contentOf(entry)
    if (content.type !== 'message' || !isHandshake(content.message)) continue
    const peers = new Peers({ ...optionsOf(node), methods: node.methods })
    const now = { monoMs: 0, utcSeconds: content.message.time }
    peers.handle({ type: 'listening', addresses: [node.address] }, now)
    const remote = 'tcp://127.0.0.1:50000'
    const [sent] = peers.handle(
      { type: 'link-open', link: 1, transport: 'tcp', remote, dial: undefined },
      now,
    )
    assert.ok(sent?.type === 'send', 'our handshake goes out first')
    assert.equal(hexOf(decodeFrame(sent.bytes).body), hexOf(content.message.body), 'our handshake')
  }
  return undefined
}

function replayPeers(transcript: Transcript, name: string, node: RecordedNode): undefined {
  const peers = new Peers({ ...optionsOf(node), methods: offered(node) })
  const replay = new Replay<PeersEffect>(transcript, name, {
    handle: (input, now) =>
      peers.handle(input.type === 'connect' ? { ...input, expectedId: undefined } : input, now),
    nextDeadline: () => peers.nextDeadline(),
  })
  const openIds = new Set<string>()
  replay.run((step) => {
    const wasPeer = [...openIds].includes(idAt(transcript, step.link.other))
    checkStep(step, node, () => isSecondLink(replay, step))
    for (const effect of step.effects) {
      if (effect.type === 'peer-open') openIds.add(effect.peer.id)
      if (effect.type === 'peer-closed') openIds.delete(effect.peer.id)
    }
    const { content } = step
    if (content.type !== 'message' || !wasPeer || !isForTheNetwork(content.message)) return
    const handedUp = step.effects.some(
      (effect) =>
        effect.type === 'peer-message' && hexOf(effect.message.id) === hexOf(content.message.id),
    )
    assert.ok(handedUp, `${where(step)}: the message was not handed up`)
  })
}

function replayMesh(
  transcript: Transcript,
  name: string,
  node: RecordedNode,
  reported: readonly string[],
): undefined {
  const mesh = new MeshMachine({ ...optionsOf(node), methods: offered(node) })
  const replay = new Replay<MeshEffect>(transcript, name, mesh)
  const delivered: string[] = []
  const received = new Set<string>()
  replay.run((step) => {
    checkStep(step, node, () => isSecondLink(replay, step))
    if (step.content.type === 'message') received.add(hexOf(step.content.message.id))
    for (const effect of step.effects) {
      if (effect.type !== 'message') continue
      delivered.push(hexOf(effect.message.id))
      if (!effect.isPrivate) checkRelay(step, effect.message, [...mesh.peers.values()])
    }
  })
  // A whisper sent twice is two messages; a broadcast is one, however often it comes.
  for (const id of reported) {
    if (received.has(id)) assert.ok(delivered.includes(id), `message ${id} was not delivered`)
  }
}

/** A fresh broadcast goes to every neighbour but the one that brought it and the one that made it. */
function checkRelay(
  step: ReplayStep<MeshEffect>,
  message: WireMessage,
  peers: readonly { readonly id: string; readonly link: number }[],
): void {
  const wanted = peers
    .filter(({ id, link }) => link !== step.link.link && id !== idText(message.sender))
    .map(({ link }) => link)
  const relayed = sendsIn(step.effects)
    .filter(({ bytes }) => hexOf(decodeFrame(bytes).id) === hexOf(message.id))
    .map(({ link }) => link)
  assert.deepEqual(relayed.toSorted(), wanted.toSorted(), `${where(step)}: relayed to`)
}

/** What holds for every machine: handshakes open peers, and links close only for a reason. */
function checkStep(
  step: ReplayStep<PeersEffect | MeshEffect>,
  node: RecordedNode,
  isSecond: () => boolean,
): void {
  const { content, effects } = step
  if (content.type === 'garbage') {
    assertClosed(step, 'P2P_BAD_FRAME', 'what is no frame')
    return
  }
  if (content.type === 'message' && isHandshake(content.message)) {
    const [, id, protocol] = content.message.payload
    if (idText(protocol) !== node.networkId) {
      assertClosed(step, 'P2P_WRONG_NETWORK', 'a handshake of another network')
      return
    }
    if (isSecond()) return
    const isKnown = effects.every(({ type }) => type !== 'peer-open' && type !== 'peer-join')
    const opened = effects.some(
      (effect) =>
        (effect.type === 'peer-open' || effect.type === 'peer-join') &&
        effect.peer.id === idText(id),
    )
    const refreshed = effects.some(({ type }) => type === 'peer-updated')
    assert.ok(opened || (isKnown && refreshed), `${where(step)}: the handshake opened no peer`)
  }
  assert.ok(!step.closed, `${where(step)}: closed a link (${closesIn(effects)[0]?.reason.code})`)
}

function assertClosed(step: ReplayStep<PeersEffect | MeshEffect>, code: string, why: string): void {
  const closes = closesIn(step.effects)
    .filter(({ link }) => link === step.link.link)
    .map(({ reason }) => reason.code)
  assert.deepEqual(closes, [code], `${where(step)}: ${why} has to close the link`)
}

/** Two links between the same two nodes: which one stays is ours to decide. */
function isSecondLink(
  replay: { readonly links: ReadonlyMap<string, { isOpen: boolean; other: string }> },
  step: { readonly link: { readonly other: string } },
): boolean {
  const links = [...replay.links.values()].filter(({ other }) => other === step.link.other)
  return links.length > 1
}

function where(step: ReplayStep<PeersEffect | MeshEffect>): string {
  const { ms, from, conn } = step.entry
  return `${ms} ms, from ${from} over ${conn}`
}

function idAt(transcript: Transcript, name: string): string {
  return readNode(transcript, name)?.id ?? ''
}

/** Everything but talk about the link itself, which the peer layer keeps to itself. */
function isForTheNetwork(message: WireMessage): boolean {
  if (message.payload.length === 0) return false
  const subFlag = wholeNumber(message.payload[0])
  if (message.type === flags.renegotiate) {
    return subFlag !== flags.compression && subFlag !== flags.resend
  }
  return subFlag !== flags.handshake || message.payload.length === 2
}

const eventsShape = z.object({
  events: z.record(
    z.string(),
    z.array(z.looseObject({ ev: z.string(), id: z.unknown().optional() })),
  ),
})

/** Ids of the messages that the recorded node handed to its application. */
function reportedMessages(document: unknown, name: string): readonly string[] {
  const events = eventsShape.safeParse(document).data?.events[name] ?? []
  return events.flatMap(({ ev, id }) => (ev === 'message' && typeof id === 'string' ? [id] : []))
}
