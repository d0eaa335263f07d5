/** The network of the demo: three nodes of ours, one js2p node, and with Python one py2p node. */
import { ensureForeign, ensurePython } from '@p2p/foreign'
import { js2pProgram, py2pProgram } from '@p2p/interop'
import type { DemoNode } from './demo-node.ts'
import { startForeignNode } from './foreign-node.ts'
import { startOwnNode } from './own-node.ts'

export interface DemoNetwork {
  readonly own: readonly DemoNode[]
  /** A foreign node with the node of ours it dialled: its neighbour, whom it can reply to. */
  readonly foreign: readonly { readonly node: DemoNode; readonly neighbour: DemoNode }[]
  readonly all: readonly DemoNode[]
}

/**
 * Starts the nodes and links them: b and c join through a, js2p through b, py2p through c. What was
 * started is in `started` even when a later step fails, so that it can be closed.
 */
export async function startNetwork(
  started: DemoNode[],
  options: { readonly python: boolean; readonly onNode: (node: DemoNode) => void },
): Promise<DemoNetwork> {
  const keep = (node: DemoNode): DemoNode => {
    started.push(node)
    options.onNode(node)
    return node
  }
  const modules = await ensureForeign()
  const python = options.python ? await ensurePython() : undefined

  const a = keep(await startOwnNode('a'))
  const b = keep(await startOwnNode('b'))
  const c = keep(await startOwnNode('c'))
  await b.connect(a.address)
  await c.connect(a.address)

  const js2p = keep(await startForeignNode('js2p', 'JavaScript', js2pProgram(modules)))
  await js2p.connect(b.address)
  const foreign = [{ node: js2p, neighbour: b }]
  if (python !== undefined) {
    const py2p = keep(await startForeignNode('py2p', 'Python', py2pProgram(python)))
    await py2p.connect(c.address)
    foreign.push({ node: py2p, neighbour: c })
  }
  return { own: [a, b, c], foreign, all: [...started] }
}
