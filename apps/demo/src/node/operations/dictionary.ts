/** set, get, del, pop, delta, keys, items, digest, settled: the dictionary of a sync node. */
import type { Key, SyncNode } from '@p2p/sync'
import type { Value } from '@p2p/serializer'
import * as z from 'zod/mini'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Fields, Operation } from '../operation.ts'
import type { Session } from '../session.ts'
import { tagged, taggedToValue, valueToTagged } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'

const keyFields = z.object({ key: tagged })

/** Keys are bytes on the wire, and shown as such, whatever they are here. */
export function keyToTagged(key: Key): Tagged {
  return valueToTagged(typeof key === 'string' ? new TextEncoder().encode(key) : key)
}

export function taggedToKey(given: Tagged): Key {
  const key = taggedToValue(given)
  if (typeof key === 'string' || key instanceof Uint8Array) return key
  throw new LineError('P2P_BAD_COMMAND', 'a key is text or bytes')
}

/** Answers once the store, if there is one, has what was written. */
async function written(session: Session, write: (node: SyncNode) => void): Promise<Fields> {
  const node = session.dictionary
  write(node)
  await node.persisted()
  return {}
}

const set = operation(z.object({ key: tagged, value: tagged }), (session, command) =>
  written(session, (node) => {
    node.set(taggedToKey(command.key), taggedToValue(command.value))
  }),
)

const remove = operation(keyFields, (session, command) =>
  written(session, (node) => {
    if (!node.delete(taggedToKey(command.key)))
      throw new LineError('P2P_NO_SUCH_KEY', 'there is no such key')
  }),
)

const readFields = z.object({ key: tagged, fallback: z.optional(tagged) })

function answer(value: Value | undefined, fallback: Tagged | undefined): Fields {
  if (value !== undefined) return { value: valueToTagged(value) }
  return { value: fallback ?? valueToTagged(null) }
}

function items(session: Session): Fields {
  const node = session.dictionary
  const keys = [...node.keys()]
  return {
    items: [...node.entries()].map(([key, value]) => [keyToTagged(key), valueToTagged(value)]),
    meta: keys.map((key) => {
      const { owner = '', timestamp = 0 } = node.meta(key) ?? {}
      return [keyToTagged(key), ownerToTagged(owner), valueToTagged(timestamp)]
    }),
  }
}

/** Owners go out as bytes in sync traffic. */
export function ownerToTagged(owner: string): Tagged {
  return valueToTagged(new TextEncoder().encode(owner))
}

export const dictionaryOperations: Readonly<Record<string, Operation>> = {
  set,
  del: remove,
  get: operation(readFields, (session, { key, fallback }) =>
    answer(session.dictionary.get(taggedToKey(key)), fallback),
  ),
  pop: operation(readFields, async (session, { key, fallback }) => {
    const value = session.dictionary.pop(taggedToKey(key))
    await session.dictionary.persisted()
    return answer(value, fallback)
  }),
  delta: operation(z.object({ key: tagged, delta: tagged }), (session, command) =>
    written(session, (node) => {
      node.applyDelta(taggedToKey(command.key), taggedToValue(command.delta))
    }),
  ),
  keys: operation(z.object({}), (session) => ({
    keys: [...session.dictionary.keys()].map(keyToTagged),
  })),
  items: operation(z.object({}), items),
  digest: operation(z.object({}), (session) => ({ digest: session.dictionary.digest() })),
  settled: operation(
    z.object({ wait: z.optional(z.number().check(z.positive())) }),
    async (session, { wait }) => {
      const timeoutMs = wait === undefined ? {} : { timeoutMs: 1_000 * wait }
      const nodes = await session.dictionary.settled(timeoutMs)
      return { digest: session.dictionary.digest(), nodes }
    },
  ),
}
