/**
 * `npm run demo`: real nodes, a node of the original JavaScript program among them, talk to each other
 * over TCP on this machine.
 *
 *   npm run demo                        keeps running and shows what happens; q or Ctrl-C ends it
 *   npm run demo -- --once              one conversation, then a table; status 1 if anything was lost
 *   npm run demo -- --once --json       the same, with a line of JSON on stdout
 *   npm run demo -- --python            with a py2p node as well (needs Python 3)
 */
import { Command } from 'commander'
import { converse } from './demo/conversation.ts'
import type { DemoNode } from './demo/demo-node.ts'
import { keepTalking } from './demo/keep-talking.ts'
import { Ledger } from './demo/ledger.ts'
import { startNetwork } from './demo/network.ts'

interface DemoOptions {
  readonly once: boolean
  readonly json: boolean
  readonly python: boolean
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Starts the network, lets it talk, reports, and closes everything whatever happened. */
async function runDemo(options: DemoOptions): Promise<boolean> {
  const begun = performance.now()
  const nodes: DemoNode[] = []
  const ledger = new Ledger()
  const names = new Map<string, string>()
  const onNode = (node: DemoNode): void => {
    names.set(node.id, node.name)
    ledger.watch(node)
    say(
      `${node.name.padEnd(5)} ${node.language.padEnd(11)} ${node.address}  id ${node.id.slice(0, 12)}…`,
    )
    node.onDelivery(({ sender, text }) =>
      say(
        `  ${(names.get(sender) ?? sender.slice(0, 8)).padEnd(5)} → ${node.name.padEnd(5)} ${text}`,
      ),
    )
  }
  let failure: string | undefined
  try {
    const network = await startNetwork(nodes, { python: options.python, onNode })
    await converse(network, ledger)
    if (!options.once) await keepTalking(network, say)
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
  const mesh = ledger.tally
  const ok = failure === undefined && mesh.delivered === mesh.expected && mesh.duplicates === 0
  const seconds = Math.round(performance.now() - begun) / 1_000
  for (const line of ledger.missing) say(`MISSING: ${line}`)
  if (failure !== undefined) say(`FAILED: ${failure}`)
  say(
    `${mesh.delivered} of ${mesh.expected} deliveries, ${mesh.duplicates} twice, in ${seconds} s: ${ok ? 'ok' : 'NOT ok'}`,
  )
  if (options.json) {
    const list = nodes.map(({ kind, language, id }) => ({ kind, language, id }))
    process.stdout.write(`${JSON.stringify({ ok, seconds, nodes: list, mesh })}\n`)
  }
  return ok
}

const program = new Command('demo')
  .description('Starts a network of our nodes and an original js2p node, and shows who heard what')
  .option('--once', 'one conversation, then end', false)
  .option('--json', 'a line of JSON on stdout at the end', false)
  .option('--python', 'with a py2p node (needs Python 3)', false)
  .action(async (options: DemoOptions) => {
    process.exitCode = (await runDemo(options)) ? 0 : 1
  })

await program.parseAsync()
