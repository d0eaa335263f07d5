/** send, whisper, sendto, reply: messages to everyone, to a neighbour, to anybody, and answers. */
import * as z from 'zod/mini'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { tagged, taggedToValue } from '../tagged-value.ts'
import type { Tagged } from '../tagged-value.ts'
import type { Value } from '@p2p/serializer'

/** The packets: a list of tagged values, or one tagged array. */
const args = z.optional(z.union([z.array(tagged), tagged]))
const peer = z.string()

function packetsOf(given: z.infer<typeof args>): readonly Value[] {
  if (given === undefined) return []
  if (isTaggedList(given)) return given.map(taggedToValue)
  const value = taggedToValue(given)
  return Array.isArray(value) ? (value as readonly Value[]) : [value]
}

function isTaggedList(given: readonly Tagged[] | Tagged): given is readonly Tagged[] {
  return Array.isArray(given)
}

export const messageOperations: Readonly<Record<string, Operation>> = {
  send: operation(z.object({ args }), (session, command) => ({
    id: session.node.broadcast(...packetsOf(command.args)),
  })),

  whisper: operation(z.object({ peer, args }), (session, command) => ({
    id: session.node.whisper(command.peer, ...packetsOf(command.args)),
  })),

  sendto: operation(z.object({ peer, args }), async (session, command) => {
    await session.node.send(command.peer, ...packetsOf(command.args))
    return {}
  }),

  reply: operation(z.object({ to: z.optional(z.string()), args }), async (session, command) => {
    await session.node.send(session.senderOf(command.to), ...packetsOf(command.args))
    return {}
  }),
}
