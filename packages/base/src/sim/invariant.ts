/** Rules that must hold in every run, and how the simulator asks for them. */
import type { HostedNode } from './sim-node.ts'
import type { Simulator } from './simulator.ts'

export interface Broken {
  readonly detail: string
  /** Whose transcript helps to understand it. */
  readonly node?: HostedNode
}

/**
 * One rule. `afterTurn` is asked after every input a node has handled, faults or not, so it has to be
 * quick; `atRest` when the program says that everything should have settled (`checkAtRest`).
 *
 * @example
 * sim.addInvariant({
 *   name: 'at-most-eight-links',
 *   afterTurn: (node) => (node.links.size > 8 ? `${node.links.size} links` : undefined),
 * })
 */
export interface Invariant {
  readonly name: string
  /** What is wrong, or undefined when all is well. */
  afterTurn?(node: HostedNode, sim: Simulator): string | undefined
  atRest?(sim: Simulator): Broken | undefined
}
