/** What the checks of large live networks say to a node and ask of it. */
import * as z from 'zod/mini'
import type { Deliveries } from './deliveries.ts'
import type { NodeProcess } from './node-process.ts'
import { text } from './tagged.ts'

const statusAnswer = z.looseObject({
  peers: z.array(z.unknown()),
  report: z.looseObject({ mesh: z.record(z.string(), z.number()) }),
})

/** Broadcasts a text that has to arrive wherever `deliveries` looks. */
export async function say(deliveries: Deliveries, node: NodeProcess, title: string): Promise<void> {
  deliveries.expect(title, node)
  await node.request('send', { args: [text(title)] })
}

/** How many neighbours a node of ours has. */
export async function linkCount(node: NodeProcess): Promise<number> {
  const { peers } = statusAnswer.parse(await node.request('status'))
  return peers.length
}

/** One counter of a mesh node of ours. */
export async function meshCounter(node: NodeProcess, name: string): Promise<number> {
  const { report } = statusAnswer.parse(await node.request('status'))
  return report.mesh[name] ?? 0
}
