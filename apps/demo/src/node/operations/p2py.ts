/** p2py_join, p2py_send, p2py_book, p2py_request, p2py_handle, p2py_leave: a node of a p2py network. */
import { PyFloat } from '@p2p/p2py-compat'
import type { Handler, OutgoingMessage, P2pyNode, PyValue, TargetLike } from '@p2p/p2py-compat'
import * as z from 'zod/mini'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Fields, Operation } from '../operation.ts'
import { givenToPython, pythonGiven, pythonToTagged } from '../python-value.ts'

const uuid = z.int().check(z.nonnegative())
const address = z.tuple([z.string(), z.int().check(z.gte(1), z.lte(65_535))])
const message = z.object({
  type: z.union([z.string(), z.strictObject({ t: z.literal('str'), v: z.string() })]),
  data: z.optional(pythonGiven),
})
const target = { uuid: z.optional(uuid), address: z.optional(address) }

function messageOf({ type, data }: z.infer<typeof message>): OutgoingMessage {
  const text = typeof type === 'string' ? type : type.v
  // Python nodes look for `data` in every message.
  return { type: text, data: data === undefined ? null : givenToPython(data) }
}

function targetOf(given: {
  readonly uuid?: number | undefined
  readonly address?: [string, number] | undefined
}): TargetLike {
  if (given.uuid !== undefined) return { uuid: given.uuid }
  if (given.address !== undefined) return { address: given.address }
  throw new LineError('P2P_BAD_COMMAND', 'a message goes to a uuid or an address')
}

function onePlus(data: PyValue | undefined): PyValue {
  if (typeof data === 'bigint') return data + 1n
  if (data instanceof PyFloat) return new PyFloat(data.value + 1)
  if (typeof data === 'number') return data + 1
  throw new LineError('P2P_BAD_COMMAND', 'add_one was asked for something that is no number')
}

const replyName = z.string().check(z.regex(/^(echo|add_one|bounce:\d+)$/))

/** What answers the requests of one type; plain messages of that type are events only. */
function handlerOf(type: string, reply: string): Handler {
  return async (received) => {
    if (!received.isRequest) return
    const { data = null } = received
    if (reply.startsWith('bounce:'))
      await received.bounce({ uuid: Number(reply.slice('bounce:'.length)) })
    else await received.respond({ type, data: reply === 'add_one' ? onePlus(data) : data })
  }
}

/** The `status` of a p2py node. Its neighbours have UUIDs where others have ids. */
export function p2pyStatus(node: P2pyNode): Fields {
  const report = node.report()
  const peers = report.peerBook.map((entry) => ({ id: String(entry.uuid), address: entry.address }))
  const errors = Object.entries(report.rejected).map(([code, count]) => `${code}: ${count} times`)
  return {
    status: errors.length === 0 ? 'Nominal' : errors,
    peers,
    report: { ...report, network_size: report.networkSize },
  }
}

export const p2pyOperations: Readonly<Record<string, Operation>> = {
  p2py_join: operation(z.object({ address }), async (session, command) => {
    const node = session.p2py
    return { uuid: await node.join([command.address]), network_size: node.networkSize }
  }),

  p2py_send: operation(z.object({ ...target, message }), async (session, command) => {
    const wanted = targetOf(command)
    const outgoing = messageOf(command.message)
    if ('uuid' in wanted) await session.p2py.sendToUuid(wanted.uuid, outgoing)
    else if (command.address !== undefined)
      await session.p2py.sendToAddress(command.address, outgoing)
    return {}
  }),

  p2py_book: operation(
    z.object({ message, exclude: z.optional(z.array(uuid)) }),
    async (session, command) => {
      const options = command.exclude === undefined ? {} : { exclude: command.exclude }
      await session.p2py.sendToPeerBook(messageOf(command.message), options)
      return {}
    },
  ),

  p2py_request: operation(
    z.object({ ...target, message, wait: z.optional(z.number().check(z.positive())) }),
    async (session, { wait, ...command }) => {
      const options = wait === undefined ? {} : { timeoutMs: 1_000 * wait }
      const outgoing = messageOf(command.message)
      const response = await session.p2py.request(targetOf(command), outgoing, options)
      return { response: pythonToTagged(response.fields) }
    },
  ),

  p2py_handle: operation(
    z.object({ type: z.string(), reply: z.optional(replyName) }),
    (session, { type, reply = 'echo' }) => {
      session.p2py.handle(type, handlerOf(type, reply))
      return {}
    },
  ),

  p2py_leave: operation(z.object({}), async (session) => {
    await session.p2py.leave()
    return {}
  }),
}
