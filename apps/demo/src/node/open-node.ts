/** Opens a node of the kind that was asked for. */
import { ChordNode } from '@p2p/chord'
import { MeshNode } from '@p2p/mesh'
import type { Mesh, MeshNodeOptions } from '@p2p/mesh'
import { LevelStore, SyncNode } from '@p2p/sync'
import type { Kind } from './kind-names.ts'

/** p2py nodes have a protocol and a class of their own. */
type NodeKind = Exclude<Kind, 'p2py'>

export interface OpenOptions extends MeshNodeOptions {
  readonly leasing?: boolean
}

export interface OpenedNode {
  readonly node: Mesh
  readonly closeStore?: () => Promise<void>
}

/** @param storeFolder where the node keeps what should outlive the process; none: nowhere */
export async function openNode(
  kind: NodeKind,
  options: OpenOptions,
  storeFolder?: string,
): Promise<OpenedNode> {
  if (storeFolder === undefined) return { node: await openKind(kind, options) }
  // Loaded on demand: it is native code, and most nodes keep nothing.
  const { ClassicLevel } = await import('classic-level')
  const store = new LevelStore(new ClassicLevel<string, Uint8Array>(storeFolder))
  try {
    return { node: await openKind(kind, { ...options, store }), closeStore: () => store.close() }
  } catch (error) {
    // A folder that stays open could not be given again.
    await store.close()
    throw error
  }
}

async function openKind(kind: NodeKind, options: OpenOptions): Promise<Mesh> {
  const { leasing, ...meshOptions } = options
  switch (kind) {
    case 'mesh':
      return MeshNode.open(meshOptions)
    case 'sync':
      return SyncNode.open({ ...meshOptions, ...(leasing === undefined ? {} : { leasing }) })
    case 'chord':
      return ChordNode.open(meshOptions)
  }
}
