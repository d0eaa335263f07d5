/** What the nodes of the demo say to each other. */
import type { Ledger } from './ledger.ts'
import type { DemoNode } from './demo-node.ts'
import type { DemoNetwork } from './network.ts'

/** How long the network may take for one round; far more than it needs. */
const roundTimeoutMs = 30_000

/**
 * Three rounds: everybody greets everybody; then replies: each of our nodes to every other node, each
 * foreign node to its neighbour (the originals can reply to neighbours only); then everybody says a
 * last word, behind which a late duplicate of the first rounds would have shown.
 */
export async function converse(network: DemoNetwork, ledger: Ledger): Promise<void> {
  const { all } = network
  await greet(all, ledger, (node) => `hello from ${node.name}`)
  await Promise.all(replyPairs(network).map(([from, to]) => reply(from, to, ledger)))
  await ledger.settled(AbortSignal.timeout(roundTimeoutMs))
  await greet(all, ledger, (node) => `last word of ${node.name}`)
}

async function greet(
  nodes: readonly DemoNode[],
  ledger: Ledger,
  textOf: (node: DemoNode) => string,
): Promise<void> {
  for (const from of nodes) for (const to of nodes) if (to !== from) ledger.expect(to, textOf(from))
  await Promise.all(nodes.map((node) => node.broadcast(textOf(node))))
  await ledger.settled(AbortSignal.timeout(roundTimeoutMs))
}

/** Who replies to whom. */
function replyPairs(network: DemoNetwork): readonly (readonly [DemoNode, DemoNode])[] {
  const ours = network.own.flatMap((from) =>
    network.all.filter((to) => to !== from).map((to) => [from, to] as const),
  )
  const theirs = network.foreign.map(({ node, neighbour }) => [node, neighbour] as const)
  return [...ours, ...theirs]
}

async function reply(from: DemoNode, to: DemoNode, ledger: Ledger): Promise<void> {
  const text = `${from.name} answers ${to.name}`
  ledger.expect(to, text)
  const greeting = ledger.arrival(from, `hello from ${to.name}`)
  // Without the greeting there is nothing to reply to; the ledger reports both as missing.
  if (greeting !== undefined) await from.reply(greeting, text)
}
