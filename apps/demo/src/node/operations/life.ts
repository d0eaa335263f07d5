/** listen, close, ping: a node's beginning and end. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseAddress, throwIfCancelled } from '@p2p/base'
import { P2pyNode } from '@p2p/p2py-compat'
import { networkId, offeredMethods } from '@p2p/serializer'
import * as z from 'zod/mini'
import { addressAt, bareHost, encryptionOf, encryptions } from '../encryption.ts'
import type { Encryption } from '../encryption.ts'
import { openResources } from '../handles.ts'
import { kinds } from '../kind-names.ts'
import type { Kind } from '../kind-names.ts'
import { openNode } from '../open-node.ts'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Fields, Operation } from '../operation.ts'
import type { Session } from '../session.ts'

export interface ListenFields {
  readonly kind?: Kind | undefined
  readonly listen?: string | readonly string[] | undefined
  readonly connect?: string | readonly string[] | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly encryption?: Encryption | undefined
  readonly subnet?: string | undefined
  /** Numbers of the compression methods offered. */
  readonly compression?: readonly number[] | undefined
  /** Host and port that others are told to dial. */
  readonly out_addr?: readonly [string, number] | undefined
  readonly limits?: Readonly<Record<string, number>> | undefined
  /** Whether a sync node leases its keys; on by default. */
  readonly leasing?: boolean | undefined
  /** Folder in which the node keeps what should outlive the process. */
  readonly store?: string | undefined
}

const addressList = z.union([z.string(), z.array(z.string())])

const listenFields: z.ZodMiniType<ListenFields> = z.object({
  kind: z.optional(z.enum(kinds)),
  listen: z.optional(addressList),
  connect: z.optional(addressList),
  host: z.optional(z.string()),
  port: z.optional(z.int().check(z.gte(0), z.lte(65_535))),
  encryption: z.optional(z.enum(encryptions)),
  subnet: z.optional(z.string()),
  compression: z.optional(z.array(z.int())),
  out_addr: z.optional(z.tuple([z.string(), z.int()])),
  limits: z.optional(z.record(z.string(), z.number())),
  leasing: z.optional(z.boolean()),
  store: z.optional(z.string()),
})

/**
 * Opens the node; the fields are those of the `listen` command. The end of the session closes it, also
 * while it still joins others.
 */
export async function listen(session: Session, fields: ListenFields): Promise<Fields> {
  const { signal } = session.end
  // What stood behind another listen when the end came opens nothing any more.
  throwIfCancelled(signal)
  if (session.isOpen) throw new LineError('P2P_ALREADY_LISTENING', 'there is a node already')
  const { subnet = session.subnet, compression } = fields
  if (fields.kind !== undefined && fields.kind !== session.kind)
    throw new LineError('P2P_WRONG_KIND', `this process runs a ${session.kind} node`)
  if (session.kind === 'p2py') return listenP2py(session, fields)
  const named = [fields.listen ?? [], fields.connect ?? []].flat()
  const encryption = encryptionOf(named[0]) ?? fields.encryption ?? 'Plaintext'
  const nodeOptions = {
    listen: fields.listen ?? addressAt(fields.host ?? '127.0.0.1', fields.port ?? 0, encryption),
    ...(fields.connect === undefined ? {} : { connect: fields.connect }),
    subnet,
    ...(compression === undefined ? {} : { compression }),
    ...(fields.out_addr === undefined
      ? {}
      : { advertise: addressAt(fields.out_addr[0], fields.out_addr[1], encryption) }),
    ...(fields.limits === undefined ? {} : { limits: fields.limits }),
    ...(fields.leasing === undefined ? {} : { leasing: fields.leasing }),
    signal,
  }
  const { node, closeStore } = await openNode(session.kind, nodeOptions, fields.store)
  session.adopt(node, encryption, closeStore)
  const [first] = node.addresses
  // A sync network says in its name whether keys are leased.
  const suffix = session.kind === 'sync' ? (fields.leasing === false ? '0' : '1') : ''
  return {
    id: node.id,
    port: first === undefined ? null : Number(new URL(first).port),
    addresses: node.addresses,
    protocol: networkId({ subnet: subnet + suffix, encryption }),
    compression: compression ?? offeredMethods,
    version: '0.7',
  }
}

/** A p2py node listens at one address, by which others know it too. */
async function listenP2py(session: Session, fields: ListenFields): Promise<Fields> {
  const { encryption = 'Plaintext', out_addr: outAddress, limits = {} } = fields
  if (encryption !== 'Plaintext')
    throw new LineError('P2P_BAD_COMMAND', `p2py networks have no ${encryption}, only Plaintext`)
  if (outAddress !== undefined)
    throw new LineError('P2P_BAD_COMMAND', 'a p2py node is known by where it listens: no out_addr')
  const [listening, ...more] = [fields.listen ?? []].flat()
  if (more.length > 0) throw new LineError('P2P_BAD_COMMAND', 'a p2py node has one address')
  const { host = '127.0.0.1', port = 0 } = listening === undefined ? fields : hostAndPort(listening)
  const contacts = [fields.connect ?? []].flat().map(hostAndPort)
  const { signal } = session.end
  const node = await P2pyNode.open({ host: bareHost(host), port, limits, signal })
  session.adoptP2py(node)
  try {
    if (contacts.length > 0)
      await node.join(
        contacts.map((to) => [to.host, to.port]),
        { signal },
      )
  } catch (error) {
    // What was refused leaves nothing behind: `listen` may be tried again.
    await session.close()
    throw error
  }
  const [ownHost, ownPort] = node.address
  return {
    id: '',
    port: ownPort,
    addresses: [addressAt(ownHost, ownPort, 'Plaintext')],
    protocol: 'p2py',
    compression: [],
    version: 'p2py 0.23',
  }
}

function hostAndPort(url: string): { readonly host: string; readonly port: number } {
  const address = parseAddress(url)
  if (address?.transport === 'tcp') return address
  throw new LineError('P2P_BAD_COMMAND', `p2py addresses look like tcp://host:port, not ${url}`)
}

export const lifeOperations: Readonly<Record<string, Operation>> = {
  listen: operation(listenFields, (session, fields) => listen(session, fields)),
  ping: operation(z.object({}), () => ({})),
  close: operation(z.object({}), async (session) => {
    await session.close()
    // Closed handles are off the list one turn later, of Node 20 two.
    await nextTurn()
    await nextTurn()
    const resources = openResources()
    return { handles: resources.length, resources }
  }),
}
