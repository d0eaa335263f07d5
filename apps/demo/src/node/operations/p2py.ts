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

/** As Python adds: ints have no end, and True is 1. */
function onePlus(data: PyValue | undefined): PyValue {
  if (data instanceof PyFloat) return new PyFloat(data.value + 1)
  // A fraction; its sum may be whole, and is a float all the same.
  if (typeof data === 'number' && !Number.isInteger(data)) return new PyFloat(data + 1)
  if (typeof data === 'bigint' || typeof data === 'number' || typeof data === 'boolean') {
    const sum = BigInt(data) + 1n
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum
  }
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

/**
 * Joins the network of the node at this address; resolves with its UUID, which is its id on the lines. One that is
 * a neighbour already stays it: joining would leave the network first. In a network of many another member lets
 * newcomers in, and nobody says who the one at the address was: then it is the UUID of the member that did.
 */
export async function connectP2py(
  node: P2pyNode,
  address: string,
  options: { readonly timeoutMs?: number },
): Promise<string> {
  const known = uuidAt(node, address)
  if (known !== undefined) return known
  await node.join([address], options)
  const uuid = uuidAt(node, address) ?? node.peerBook.map(String)[0]
  if (uuid === undefined)
    throw new LineError('P2P_NOT_CONNECTED', 'joined, and without a neighbour already')
  return uuid
}

function uuidAt(node: P2pyNode, address: string): string | undefined {
  const entry = node.report().peerBook.find((one) => one.address === address)
  return entry === undefined ? undefined : String(entry.uuid)
}

/** The `status` of a p2py node. Its neighbours have UUIDs where others have ids. */
export function p2pyStatus(node: P2pyNode): Fields {
  const report = node.report()
  // Links that came in have the port of a socket for a remote address, not the one where the peer listens.
  const dialled = new Set(report.queues.map(({ remote }) => remote))
  const peers = report.peerBook.map(({ uuid: id, address: at }) => ({
    id: String(id),
    address: at,
    outgoing: dialled.has(at),
    old: false,
  }))
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
