/** connect, bootstrap, disconnect, request_peers, peers, status: a node's neighbours. */
import { bootstrap } from '@p2p/chord'
import * as z from 'zod/mini'
import { LineError } from '../line-error.ts'
import { operation } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { p2pyStatus } from './p2py.ts'

const connectFields = z.object({
  address: z.optional(z.string()),
  host: z.optional(z.string()),
  port: z.optional(z.int()),
  encryption: z.optional(z.enum(['Plaintext', 'SSL', 'ws', 'wss'])),
  timeoutMs: z.optional(z.number().check(z.positive())),
})

const schemes = { Plaintext: 'tcp', SSL: 'tls', ws: 'ws', wss: 'wss' } as const

function addressOf(fields: z.infer<typeof connectFields>): string {
  if (fields.address !== undefined) return fields.address
  if (fields.host === undefined || fields.port === undefined)
    throw new LineError('P2P_BAD_COMMAND', 'connect takes an address, or host and port')
  return `${schemes[fields.encryption ?? 'Plaintext']}://${fields.host}:${fields.port}`
}

const bootstrapFields = z.object({ seeds: z.array(z.string()) })

export const peerOperations: Readonly<Record<string, Operation>> = {
  connect: operation(connectFields, async (session, fields) => {
    const { timeoutMs } = fields
    const options = timeoutMs === undefined ? {} : { timeoutMs }
    const peer = await session.node.connect(addressOf(fields), options)
    return { peer: peer.id }
  }),

  bootstrap: operation(bootstrapFields, async (session, { seeds }) => {
    return { ...(await bootstrap(session.node, { seeds })) }
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
