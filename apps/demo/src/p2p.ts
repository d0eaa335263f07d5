#!/usr/bin/env node
/** The program `p2p`: nodes and tools of the network on the command line. */
import { Argument, Command } from 'commander'
import type { ChatOptions } from './commands/chat.ts'
import type { NodeCommandOptions } from './commands/node.ts'
import { kinds } from './node/kind-names.ts'
import type { Kind } from './node/kind-names.ts'

const program = new Command('p2p')
  .description('Peer-to-peer networks on the command line')
  .showHelpAfterError()

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
  .action(async (room: string, options: ChatOptions) => {
    const { runChat } = await import('./commands/chat.ts')
    await runChat(room, options)
  })

program
  .command('decode')
  .description('show what frames of protocol 0.7 say')
  .argument('<hex...>', 'hex digits; blanks are ignored')
  .action(async (hex: readonly string[]) => {
    const { decodeHex } = await import('./commands/decode.ts')
    const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
    if (!decodeHex(hex.join(''), write)) process.exitCode = 1
  })

await program.parseAsync()
