/** connect, bootstrap, disconnect, request_peers, peers, status: a node's neighbours. */
import { bootstrap } from '@p2p/chord'
import * as z from 'zod/mini'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { addressAt, encryptions } from '../encryption.ts'
import type { Session } from '../session.ts'
import { connectP2py, p2pyStatus } from './p2py.ts'

const connectFields = z.object({
  address: z.optional(z.string()),
  host: z.optional(z.string()),
  port: z.optional(z.int().check(z.gte(1), z.lte(65_535))),
  encryption: z.optional(z.enum(encryptions)),
  timeoutMs: z.optional(z.number().check(z.positive())),
})

/** A network runs over one thing: what is not named is what this node listens with. */
function addressOf(session: Session, fields: z.infer<typeof connectFields>): string {
  if (fields.address !== undefined) return fields.address
  if (fields.host === undefined || fields.port === undefined)
    throw new LineError('P2P_BAD_COMMAND', 'connect takes an address, or host and port')
  return addressAt(fields.host, fields.port, fields.encryption ?? session.encryption)
}

const bootstrapFields = z.object({ seeds: z.array(z.string()) })

export const peerOperations: Readonly<Record<string, Operation>> = {
  connect: operation(connectFields, async (session, fields) => {
    const { timeoutMs } = fields
    const options = timeoutMs === undefined ? {} : { timeoutMs }
    const address = addressOf(session, fields)
    if (session.kind === 'p2py') return { peer: await connectP2py(session.p2py, address, options) }
    const peer = await session.node.connect(address, options)
    return { peer: peer.id }
  }),

  bootstrap: operation(bootstrapFields, async (session, { seeds }) => {
    return { ...(await bootstrap(session.node, { seeds, signal: session.end.signal })) }
  }),

  disconnect: operation(z.object({ peer: z.string() }), (session, { peer }) => {
    if (!session.node.disconnect(peer))
      throw new LineError('P2P_NOT_CONNECTED', `no neighbour ${peer}`)
    return {}
  }),

  request_peers: operation(z.object({}), (session) => {
    session.node.requestPeers()
    return {}
  }),

  peers: operation(z.object({}), (session) => {
    if (session.kind === 'p2py') return { peers: session.p2py.peerBook.map(String), awaiting: 0 }
    const { node } = session
    const { links, peers } = node.report()
    return { peers: [...node.peers.keys()], awaiting: links.length - peers.length }
  }),

  status: operation(z.object({}), (session) => {
    if (session.kind === 'p2py') return p2pyStatus(session.p2py)
    const { node } = session
    const report = node.report()
    const peers = [...node.peers.values()].map((peer) => ({
      id: peer.id,
      address: peer.address ?? null,
      outgoing: peer.outgoing,
      old: peer.kind !== 'ours',
    }))
    const errors = report.lastErrors.map((error) => `${error.code}: ${error.message}`)
    return { status: errors.length === 0 ? 'Nominal' : errors, peers, report }
  }),
}
