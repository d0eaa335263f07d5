/**
 * The limits of the mesh itself; those of links, frames and dials are the peer layer's. Each is an
 * option and, where it can be reached, a counter in `report()`.
 */
import { limitsOver } from '@p2p/base'
import { defaultOverlayLimits, type OverlayLimits } from './overlay.ts'
import { defaultTreeLimits, type TreeLimits } from './tree-dissemination.ts'

export interface MeshLimits extends OverlayLimits, TreeLimits {
  /**
   * Ids of broadcasts remembered, two generations together, 16 bytes each at most. At more than this
   * many in about 20 s a replay of a forgotten one could be taken again.
   */
  readonly maxSeenIds: number
}

export const defaultMeshLimits: MeshLimits = {
  ...defaultOverlayLimits,
  ...defaultTreeLimits,
  maxSeenIds: 524_288,
}

/** True for the name of a limit of the mesh. */
export function isMeshLimit(name: string): name is keyof MeshLimits {
  return Object.hasOwn(defaultMeshLimits, name)
}

/**
 * The defaults with the given ones put over them.
 *
 * @throws TypeError for a name that is no limit of the mesh, RangeError for a value that is not above zero
 */
export function resolveMeshLimits(options: Partial<MeshLimits> = {}): MeshLimits {
  return limitsOver(defaultMeshLimits, options, 'maxSenderTrees')
}
