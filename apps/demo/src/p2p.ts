#!/usr/bin/env node
/** The program `p2p`: nodes and tools of the network on the command line. */
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander'
import type { ChatOptions } from './commands/chat.ts'
import type { DoctorOptions } from './commands/doctor.ts'
import type { NodeCommandOptions } from './commands/node.ts'
import type { SeedOptions } from './commands/seed.ts'
import { kinds } from './node/kind-names.ts'
import type { Kind } from './node/kind-names.ts'

/** Status of every command: see the help text. */
const wrongUsageStatus = 2

/** Timers of Node.js take no more, and fire at once instead. */
const maxTimerMs = 2_147_483_647

const program = new Command('p2p')
  .description('Peer-to-peer networks on the command line')
  .showHelpAfterError()
  .enablePositionalOptions()
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  p2p chat tea --listen tcp://127.0.0.1:4444
  p2p doctor tcp://127.0.0.1:4444
  p2p node mesh --json
  p2p sim --type mesh --nodes 20 --seeds 2

Status: 0 done, 1 failed or found something wrong, 2 wrong usage, 70 something was left open at the end.`,
  )

/** A broadcast of the text `hello`. */
const helloFrame =
  '00000034d077a9e6112fb2d035aaa899e394361b22124168b961caf39bc4ba4c51e9747b9500a5324a376b58ce6b021aa000a568656c6c6f'

const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value]

program
  .command('node')
  .description('run one node, driven by JSON lines on stdin and stdout')
  .addArgument(new Argument('<kind>', 'what the node speaks').choices(kinds))
  .option(
    '--listen <address>',
    'listen here, such as tcp://0.0.0.0:4444; may be repeated',
    collect,
    [],
  )
  .option('--connect <address>', 'join through this node; may be repeated', collect, [])
  .option('--subnet <name>', 'name of the network')
  .option('--json', 'JSON lines, the only format there is; accepted for clarity')
  .addHelpText(
    'after',
    `
Examples:
  echo '{"op":"listen","seq":1}' | p2p node mesh --json
  echo '{"op":"status","seq":1}' | p2p node sync --listen tcp://127.0.0.1:0 --json`,
  )
  .action(async (kind: Kind, options: NodeCommandOptions) => {
    const { runNode } = await import('./commands/node.ts')
    await runNode(kind, options)
  })

program
  .command('chat')
  .description('talk to everybody in a room; no server')
  .argument('<room>', 'name of the room')
  .option('--listen <address>', 'listen here; may be repeated', collect, [])
  .option('--connect <address>', 'join through this node; may be repeated', collect, [])
  .option('--seed <address>', 'find others through this seed; may be repeated', collect, [])
  .option('--json', 'what happens as JSON lines', false)
  .addHelpText(
    'after',
    `
Each line of the input goes to everybody; /quit, Ctrl-C or the end of the input ends it.

Examples:
  echo hello | p2p chat tea
  echo hello | p2p chat tea --json`,
  )
  .action(async (room: string, options: ChatOptions) => {
    const { runChat } = await import('./commands/chat.ts')
    await runChat(room, options)
  })

program
  .command('seed')
  .description('run a node through which others find their first peers')
  .option(
    '--listen <address>',
    'listen here; may be repeated (default: tcp://0.0.0.0:44565)',
    collect,
    [],
  )
  .option(
    '--advertise <address>',
    'where others reach it, when that differs; may be repeated',
    collect,
    [],
  )
  .option('--connect <address>', 'another seed; may be repeated', collect, [])
  .option('--json', 'what happens as JSON lines', false)
  .addHelpText(
    'after',
    `
Runs until Ctrl-C, then hands what it keeps over to other seeds. It serves nodes of all networks and
programs, also py2p and js2p; what it keeps are their addresses.

Examples:
  p2p seed --listen tcp://0.0.0.0:44565
  p2p seed --listen tcp://0.0.0.0:44566 --connect tcp://127.0.0.1:44565 --json`,
  )
  .action(async (options: SeedOptions) => {
    const { runSeed } = await import('./commands/seed.ts')
    await runSeed(options)
  })

program
  .command('doctor')
  .description('find out why a node cannot be reached: the first step that fails, and what helps')
  .argument('<address>', 'such as tcp://host:4444, tls://…, ws://… or wss://…')
  .option('--subnet <name>', 'name of the network that is expected there', 'mesh')
  .option('--timeout <ms>', 'time for each step', readMilliseconds, 5_000)
  .option('--json', 'the result as a line of JSON', false)
  .addHelpText(
    'after',
    `
The dictionary and hash table networks are called sync1 (sync0 without leases) and chord, unless named otherwise.
Status: 0 when every step passes, 1 when one fails, 2 when it is no address.

Examples:
  p2p doctor tcp://127.0.0.1:1
  p2p doctor ws://127.0.0.1:1 --subnet sync1 --json`,
  )
  .action(async (address: string, options: DoctorOptions & { readonly json: boolean }) => {
    const { describeWalk, statusOf, walk } = await import('./commands/doctor.ts')
    const { withProgress } = await import('./commands/progress.ts')
    const result = await withProgress(`examining ${address}`, walk(address, options))
    process.stdout.write(`${options.json ? JSON.stringify(result) : describeWalk(result)}\n`)
    process.exitCode = statusOf(result)
  })

program
  .command('decode')
  .description('show what frames of protocol 0.7 say, as JSON lines')
  .argument('<hex...>', 'hex digits; blanks are ignored')
  .option('--json', 'JSON lines, the only format there is; accepted for clarity')
  .addHelpText(
    'after',
    `
Status: 0 when all of it was whole, readable frames, 1 otherwise.

Examples:
  p2p decode ${helloFrame}`,
  )
  .action(async (hex: readonly string[]) => {
    const { decodeHex } = await import('./commands/decode.ts')
    const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
    if (!decodeHex(hex.join(''), write)) process.exitCode = 1
  })

for (const [task, description] of [
  ['sim', 'run the shipped code in simulated networks; a seed decides everything'],
  ['bench', 'measure our figures beside those of others'],
] as const)
  program
    .command(task)
    .description(`${description}; --help tells its options`)
    .argument('[arguments...]', `as for npm run ${task}`)
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: readonly string[]) => {
      const { runRootTask } = await import('./commands/root-task.ts')
      process.exitCode = await runRootTask(task, args)
    })

function readMilliseconds(text: string): number {
  const ms = Number(text)
  if (ms > 0 && ms <= maxTimerMs) return ms
  throw new InvalidArgumentError(`a time-out is a number of milliseconds from 1 to ${maxTimerMs}`)
}

/** The status of a command that could not do its work. What is no mistake of anybody else's is thrown on. */
async function tellFailure(error: unknown): Promise<number> {
  // Of commander: help was shown (0), or the command line was wrong; it has said so.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : wrongUsageStatus
  const { isP2pError } = await import('@p2p/base')
  const { WrongUsage } = await import('./commands/wrong-usage.ts')
  if (!(error instanceof WrongUsage || isP2pError(error))) throw error
  process.stderr.write(`p2p: ${error.message}\n`)
  return isP2pError(error) ? 1 : wrongUsageStatus
}

let isRead = true
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  if (!isRead) return
  isRead = false
  // Nobody reads on, as after `| head`: what runs until Ctrl-C ends as by that, anything else at once.
  if (!process.emit('SIGINT')) process.exit()
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = await tellFailure(error)
}
