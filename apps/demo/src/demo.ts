/**
 * `npm run demo`: a network of real nodes on this machine, nodes of the original JavaScript program
 * among them, and a page that shows it.
 *
 *   npm run demo                        the page; q or Ctrl-C ends everything
 *   npm run demo -- --python            with py2p nodes as well (needs Python 3)
 *   npm run demo -- --once              no page: one conversation, then a table; status 1 if anything was lost
 *   npm run -s demo -- --once --json    the same, with a line of JSON on stdout
 */
import { ensureForeign } from '@p2p/foreign'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { converse } from './demo/conversation.ts'
import type { DemoNode } from './demo/demo-node.ts'
import { Ledger } from './demo/ledger.ts'
import { startNetwork } from './demo/network.ts'
import { runOtherNetworks } from './demo/other-networks.ts'
import type { OtherNetworks } from './demo/other-networks.ts'
import { runLive } from './live/run-live.ts'

interface DemoOptions {
  readonly once: boolean
  readonly json: boolean
  readonly python: boolean
  readonly port: number
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** Starts a small mesh, lets it talk, reports, and closes everything whatever happened. */
async function runOnce(options: DemoOptions): Promise<boolean> {
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
  let others: OtherNetworks | undefined
  try {
    const network = await startNetwork(nodes, { python: options.python, onNode })
    await converse(network, ledger)
    say('a dictionary, a hash table and a p2py network …')
    others = await runOtherNetworks(await ensureForeign())
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
  const mesh = ledger.tally
  const { nodes: otherNodes = [], ...sections } = others ?? {}
  const isWhole = Object.values({ mesh, ...sections }).every(
    ({ expected, delivered }) => delivered === expected,
  )
  const ok = failure === undefined && isWhole && mesh.duplicates === 0
  const seconds = Math.round(performance.now() - begun) / 1_000
  for (const line of ledger.missing) say(`MISSING: ${line}`)
  if (failure !== undefined) say(`FAILED: ${failure}`)
  for (const [name, { expected, delivered }] of Object.entries(sections))
    say(`${name}: ${delivered} of ${expected} arrived`)
  say(
    `${mesh.delivered} of ${mesh.expected} deliveries, ${mesh.duplicates} twice, in ${seconds} s: ${ok ? 'ok' : 'NOT ok'}`,
  )
  if (options.json) {
    const list = [...nodes, ...otherNodes].map(({ kind, language, id }) => ({ kind, language, id }))
    process.stdout.write(`${JSON.stringify({ ok, seconds, nodes: list, mesh, ...sections })}\n`)
  }
  return ok
}

const program = new Command('demo')
  .description('Starts a network of our nodes and original ones, and shows it on a page')
  .exitOverride()
  .option('--once', 'no page: one conversation, then end; status 1 if anything was lost', false)
  .option('--json', 'a line of JSON on stdout: the result, or the address of the page', false)
  .option('--python', 'with py2p nodes as well (needs Python 3)', false)
  .option('--port <number>', 'port of the page; 0 for any', readPort, 0)
  .addHelpText(
    'after',
    `
Examples:
  npm run demo
  npm run demo -- --port 8080 --python
  npm run -s demo -- --once --json

Status: 0 when all went well, 1 when something was lost or could not be started, 2 for wrong usage.`,
  )
  .action(async (options: DemoOptions) => {
    if (options.once) process.exitCode = (await runOnce(options)) ? 0 : 1
    else await runLive(options, say)
  })

function readPort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535')
  return port
}

try {
  await program.parseAsync()
} catch (error) {
  // Of commander: help was shown (0), or the command line was wrong.
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : 2
}
