/** set, get, del, pop, delta, keys, items, join, unjoin, locate, data: the hash table of a chord node. */
import type { Value } from '@p2p/serializer'
import * as z from 'zod/mini'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Fields, Operation } from '../operation.ts'
import { tagged, taggedToValue, valueToTagged } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'
import { keyToTagged, taggedToKey } from './dictionary.ts'

/** Seconds; how long the table may take. */
const wait = z.optional(z.number().check(z.positive()))
const keyFields = z.object({ key: tagged, wait })
const readFields = z.object({ key: tagged, fallback: z.optional(tagged), wait })

function waitOf(seconds: number | undefined): { readonly timeoutMs?: number } {
  return seconds === undefined ? {} : { timeoutMs: 1_000 * seconds }
}

function answer(value: Value | undefined, fallback: Tagged | undefined): Fields {
  if (value !== undefined) return { value: valueToTagged(value) }
  return { value: fallback ?? valueToTagged(null) }
}

export const hashTableOperations: Readonly<Record<string, Operation>> = {
  set: operation(z.object({ key: tagged, value: tagged, wait }), async (session, command) => {
    const { key, value } = command
    await session.table.set(taggedToKey(key), taggedToValue(value), waitOf(command.wait))
    return {}
  }),
  del: operation(keyFields, async (session, command) => {
    if (!(await session.table.delete(taggedToKey(command.key), waitOf(command.wait))))
      throw new LineError('P2P_NO_SUCH_KEY', 'there is no such key')
    return {}
  }),
  get: operation(readFields, async (session, { key, fallback, wait: seconds }) =>
    answer(await session.table.get(taggedToKey(key), undefined, waitOf(seconds)), fallback),
  ),
  pop: operation(readFields, async (session, { key, fallback, wait: seconds }) =>
    answer(await session.table.pop(taggedToKey(key), undefined, waitOf(seconds)), fallback),
  ),
  delta: operation(z.object({ key: tagged, delta: tagged, wait }), async (session, command) => {
    const delta = taggedToValue(command.delta)
    const value = await session.table.applyDelta(
      taggedToKey(command.key),
      delta,
      waitOf(command.wait),
    )
    return { value: valueToTagged(value) }
  }),
  keys: operation(z.object({}), async (session) => {
    const keys: Tagged[] = []
    for await (const key of session.table.keys()) keys.push(keyToTagged(key))
    return { keys }
  }),
  items: operation(z.object({}), async (session) => {
    const items: [Tagged, Tagged][] = []
    for await (const [key, value] of session.table)
      items.push([keyToTagged(key), valueToTagged(value)])
    return { items }
  }),
  join: operation(z.object({ wait }), async (session, command) => {
    await session.table.join(waitOf(command.wait))
    return {}
  }),
  unjoin: operation(z.object({ wait }), async (session, command) => {
    await session.table.leave(waitOf(command.wait))
    return {}
  }),
  locate: operation(z.object({ key: tagged }), (session, { key }) => ({
    positions: session.table
      .locate(taggedToKey(key))
      .map(({ owner, ...place }) => ({ ...place, owner: owner ?? null })),
  })),
  data: operation(z.object({}), (session) => {
    const tables = [...session.table.stored()].map(([table, slots]) => [
      table,
      slots.map(([position, value]) => [position, valueToTagged(value)]),
    ])
    return { data: Object.fromEntries(tables), id_10: session.table.ringPosition }
  }),
}
