import { expect, test } from '@jest/globals'
import { encodeValue } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import { OldNeighbours } from '../../src/protocol/old-neighbours.ts'
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

function oldNeighbours(): OldNeighbours {
  const replica = new Replica({ leasing: true, leaseSeconds: 3_600 }, defaultReplicaLimits)
  return new OldNeighbours(replica, 'own-id')
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
