/** Nodes of ours in this process: mesh, sync and chord, with their links tapped. */
import { TcpTransport } from '@p2p/base/tcp'
import { WebSocketTransport } from '@p2p/base/websocket'
import { ChordNode } from '@p2p/chord'
import { MeshNode } from '@p2p/mesh'
import type { Mesh } from '@p2p/mesh'
import { toHex } from '@p2p/serializer'
import { SyncNode } from '@p2p/sync'
import { messageLabel, show } from '../view/describe-frame.ts'
import { chatMark, demoRoom } from '../view/world-event.ts'
import type { NodeFacts } from '../view/world-event.ts'
import type { LiveNode, LiveNodeOptions } from './live-node.ts'
import { LinkTap } from './tapped-links.ts'
import type { TappedFrame } from './tapped-links.ts'

export interface OwnNodeOptions extends LiveNodeOptions {
  readonly network: 'mesh' | 'sync' | 'chord'
}

type OwnNode = MeshNode | SyncNode | ChordNode

/** Fewer links than by default: pictures of eight links per node show nothing. */
const meshLimits = { targetOutgoing: 3, maxNeighbours: 16 }
/** Longer frames are told without their bytes. */
const maxToldBytes = 1_024

export async function startOwnNode(options: OwnNodeOptions): Promise<LiveNode> {
  const { network, name, isBridge, contacts } = options
  const tap = new LinkTap([new TcpTransport(), new WebSocketTransport()], {
    isSeenHere: options.isSeenHere,
    onFrame: (frame) => options.onEvent(frameEvent(frame)),
  })
  const listen = ['tcp://127.0.0.1:0', ...(isBridge ? ['ws://127.0.0.1:0'] : [])]
  const node = await openNode(network, { listen, connect: contacts, transports: tap.transports })
  const facts: NodeFacts = {
    id: node.id,
    name,
    network,
    language: 'TypeScript',
    state: 'running',
    isBridge,
    isOurs: true,
    ...(node instanceof ChordNode && { ringPosition: node.ringPosition }),
  }
  report(node, options)
  const end = async (): Promise<void> => {
    tap.resume()
    await node.close()
  }
  return {
    facts,
    address: node.addresses.find((address) => address.startsWith('tcp:')) ?? '',
    webSocketAddress: node.addresses.find((address) => address.startsWith('ws:')),
    neighbours: () => [...node.peers.keys()],
    connect: async (address) => void (await node.connect(address)),
    talk: (text) => talk(node, text),
    kill: async () => {
      tap.resume()
      tap.isolate()
      // Links end first, so that closing finds nobody to say goodbye to.
      await new Promise((resolve) => setImmediate(resolve))
      await node.close()
    },
    close: end,
    faults: tap,
  }
}

async function openNode(
  network: OwnNodeOptions['network'],
  options: Parameters<typeof MeshNode.open>[0],
): Promise<OwnNode> {
  switch (network) {
    case 'mesh':
      return MeshNode.open({ ...options, limits: meshLimits })
    case 'sync':
      return SyncNode.open({ ...options, limits: meshLimits })
    case 'chord':
      return ChordNode.open({ ...options, join: true })
  }
}

function report(node: OwnNode, { onNeighbours, onEvent }: OwnNodeOptions): void {
  const mesh: Mesh = node
  mesh.on('peer:join', onNeighbours)
  mesh.on('peer:leave', onNeighbours)
  mesh.on('message', ({ sender, packets: [mark, room, line] }) => {
    if (mark === chatMark && room === demoRoom && typeof line === 'string')
      onEvent({ type: 'heard', node: node.id, sender, text: line })
  })
  if (!(node instanceof SyncNode)) return
  node.on('update', ({ key, value }) => {
    if (typeof key === 'string') onEvent({ type: 'held', node: node.id, key, value: show(value) })
  })
  node.on('delete', ({ key }) => {
    if (typeof key === 'string') onEvent({ type: 'held', node: node.id, key, value: null })
  })
}

/** A chat line on a mesh, a key on a dictionary, a slot in a hash table. */
async function talk(node: OwnNode, text: string): Promise<void> {
  if (node instanceof MeshNode) node.broadcast(chatMark, demoRoom, text)
  else if (node instanceof SyncNode) node.set(`note of ${node.id.slice(-4)}`, text)
  else await node.set(`note of ${node.id.slice(-4)}`, text)
}

function frameEvent({ from, to, frame, message }: TappedFrame): {
  readonly type: 'frame'
  readonly from: string
  readonly to: string
  readonly atMs: number
  readonly label: string
  readonly byteCount: number
  readonly broadcast?: string
  readonly hex?: string
} {
  const isBroadcast = message.type === 0
  return {
    type: 'frame',
    from,
    to,
    atMs: Date.now(),
    label: messageLabel(message),
    byteCount: frame.length,
    ...(isBroadcast && { broadcast: toHex(message.id) }),
    ...(frame.length <= maxToldBytes && { hex: toHex(frame) }),
  }
}
