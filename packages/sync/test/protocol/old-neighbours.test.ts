import { expect, test } from '@jest/globals'
import type { Peer, PeerKind } from '@p2p/base'
import { createMessage, encodeValue, type WireMessage } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { createWriteMessage } from '../../src/protocol/messages.ts'
import { OldNeighbours } from '../../src/protocol/old-neighbours.ts'
import { maxBlockRecords } from '../../src/protocol/records.ts'
import { Replica } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits } from '../../src/protocol/replica-limits.ts'
import type { Write } from '../../src/protocol/write.ts'

const now = { monoMs: 0, utcSeconds: 1_500_000_000 }
const key = textToByteText('key')
const js2pId = 'js2p-id'

function oldWrite(owner: string): Write {
  const value = encodeValue('value')
  const time = now.utcSeconds
  const by = { owner: textToByteText(owner), time, sequence: 0 }
  return { kind: 'set', value, ...by, knew: undefined }
}

function withReplica(): { readonly old: OldNeighbours; readonly replica: Replica } {
  const replica = new Replica({ leasing: true, leaseSeconds: 3_600 }, defaultReplicaLimits)
  return { old: new OldNeighbours(replica, 'own-id'), replica }
}

function oldNeighbours(): OldNeighbours {
  return withReplica().old
}

const anyPeer: Peer = {
  id: 'peer',
  link: 1,
  transport: 'tcp',
  kind: 'unknown',
  outgoing: true,
  address: undefined,
  addresses: [],
  supports: () => false,
}

test('names an old owner as it names itself: py2p takes the other form for somebody else', () => {
  const old = oldNeighbours()
  const holder = oldWrite(js2pId)
  const entry = { value: holder.value, holder }
  expect(old.ownerForm(holder)).toBeUndefined()
  old.noteOwner(holder.owner, 'text', false)
  expect(old.copyMessage(key, entry, now).payload[3]).toBe(js2pId)
  old.noteOwner(holder.owner, 'bytes', true)
  expect(old.copyMessage(key, entry, now).payload[3]).toBe(js2pId)
  old.noteOwner(holder.owner, 'bytes', false)
  expect(old.copyMessage(key, entry, now).payload[3]).toEqual(Buffer.from(js2pId))
})

test('names an owner of ours in bytes, whatever an old node says', () => {
  const old = oldNeighbours()
  const holder = { ...oldWrite('ours'), knew: [] }
  old.noteOwner(holder.owner, 'text', false)
  expect(old.ownerForm(holder)).toBe('bytes')
})

test('a broadcast goes to a neighbour of ours as it is, a delete to no js2p, and to py2p if it takes something', () => {
  const { old, replica } = withReplica()
  const peer = (kind: PeerKind): Peer => ({ ...anyPeer, kind, supports: () => kind === 'ours' })
  const erased = (owner: string): WireMessage =>
    createWriteMessage(key, { ...oldWrite(owner), kind: 'delete', time: now.utcSeconds + 1 })
  const early = erased(js2pId)
  const verdicts = (message: WireMessage): boolean[] =>
    (['ours', 'py2p', 'js2p', 'unknown'] as const).map((kind) => old.mayPass(message, peer(kind)))
  expect(verdicts(early)).toEqual([true, false, false, false])
  replica.merge(key, oldWrite(js2pId), 'live', now.utcSeconds)
  expect(verdicts(early)).toEqual([true, false, false, false]) // judged already
  expect(verdicts(erased('js2p-id-of-another'))).toEqual([true, false, false, false])
  const other = createMessage({ type: 0, sender: 'x', time: 1, payload: [0, 'x', null] })
  expect(verdicts(other)).toEqual([true, true, true, true])
})

test('a delete of the holder is believed, once what it takes away is there', () => {
  const { old, replica } = withReplica()
  replica.merge(key, oldWrite(js2pId), 'live', now.utcSeconds)
  const erased = { ...oldWrite(js2pId), kind: 'delete' as const, time: now.utcSeconds + 1 }
  expect(old.noteDelete(createWriteMessage(key, erased), { key, write: erased })).toBe(true)
})

test('1,024 owners are remembered, the oldest is forgotten for one more', () => {
  const old = oldNeighbours()
  for (let number = 0; number <= 1_024; number += 1) {
    old.noteOwner(textToByteText(`owner ${number}`), 'text', false)
  }
  expect(old.ownerForm(oldWrite('owner 0'))).toBeUndefined()
  expect(old.ownerForm(oldWrite('owner 1'))).toBe('text')
})

test('as many deletes are remembered as a block has, the oldest is forgotten for one more', () => {
  const { old, replica } = withReplica()
  const noteDelete = (number: number): boolean => {
    const erased = { ...oldWrite(js2pId), kind: 'delete', sequence: number, knew: [] } as const
    return old.noteDelete(createWriteMessage(key, erased), { key, write: erased })
  }
  for (let number = 0; number < maxBlockRecords; number += 1) noteDelete(number)
  const held = { ...oldWrite(js2pId), time: now.utcSeconds - 10 }
  replica.merge(key, held, 'live', now.utcSeconds)
  expect(noteDelete(0)).toBe(false) // judged before the key was there
  expect(noteDelete(maxBlockRecords)).toBe(true)
  expect(noteDelete(0)).toBe(true) // judged anew
})
