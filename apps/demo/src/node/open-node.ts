/** Opens a node of the kind that was asked for. */
import { MeshNode } from '@p2p/mesh'
import type { MeshNodeOptions } from '@p2p/mesh'
import type { Kind } from './kind-names.ts'
import { LineError } from './line-error.ts'

export async function openNode(kind: Kind, options: MeshNodeOptions): Promise<MeshNode> {
  switch (kind) {
    case 'mesh':
      return MeshNode.open(options)
    case 'sync':
    case 'chord':
    case 'p2py':
      throw new LineError('P2P_KIND_NOT_BUILT', `${kind} nodes are not built yet`)
  }
}
