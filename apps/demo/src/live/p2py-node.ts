/** Nodes of a p2py network in this process. They have UUIDs, and one address each. */
import { P2pyNode } from '@p2p/p2py-compat'
import type { LiveNode, LiveNodeOptions } from './live-node.ts'

/** Ids of p2py nodes on the page: the UUID may change, the address does not. */
const idOf = (hostAndPort: string): string => `p2py ${hostAndPort}`
const urlStart = 'tcp://'

/** @param contacts addresses `host:port` of nodes to join through */
export async function startP2pyNode(options: LiveNodeOptions): Promise<LiveNode> {
  const { name, contacts, onEvent, onNeighbours } = options
  const node = await P2pyNode.open({ port: 0 })
  const id = idOf(node.address.join(':'))
  node.on('peer:join', onNeighbours)
  node.on('peer:leave', onNeighbours)
  node.on('joined', onNeighbours)
  node.on('message', ({ type, data, from }) => {
    const text = typeof data === 'string' ? data : type
    const sender = idOf(from.address.join(':'))
    onEvent({ type: 'heard', node: id, sender, text })
    const head = { type: 'frame', from: sender, to: id, atMs: Date.now() } as const
    onEvent({ ...head, label: `p2py ${type}`, byteCount: text.length })
  })
  if (contacts.length > 0) await node.join(contacts.map(hostAndPort))
  return {
    facts: {
      id,
      name,
      network: 'p2py',
      language: 'TypeScript',
      state: 'running',
      isBridge: false,
      isOurs: true,
    },
    address: node.address.join(':'),
    neighbours: () =>
      node.report().peerBook.map(({ address }) => idOf(address.slice(urlStart.length))),
    connect: async (address) => void (await node.join([hostAndPort(address)])),
    talk: (text) => node.sendToPeerBook({ type: 'TEXT', data: text }),
    kill: () => node.close(),
    close: () => node.close(),
    faults: undefined,
  }
}

function hostAndPort(address: string): readonly [string, number] {
  const [host = '', port = ''] = address.split(':')
  return [host, Number(port)]
}
