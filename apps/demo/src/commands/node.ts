/** `p2p node KIND`: runs one node until its input ends, or Ctrl-C. */
import { serveLines } from '../node/json-lines.ts'
import type { Kind } from '../node/kind-names.ts'
import { describeFailure } from '../node/line-error.ts'
import { listen } from '../node/operations/life.ts'
import { operationsOf } from '../node/operations/table.ts'
import { Session } from '../node/session.ts'
import { ensureExit } from './process-end.ts'

export interface NodeCommandOptions {
  readonly listen: readonly string[]
  readonly connect: readonly string[]
  readonly subnet?: string
}

/**
 * Reads commands from stdin, writes answers and events to stdout. With addresses on the command line
 * the node opens at once and says so by an `open` event; without, the `listen` command opens it.
 */
export async function runNode(kind: Kind, options: NodeCommandOptions): Promise<void> {
  const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const session = new Session(kind, write)
  const end = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => end.abort())
  if (options.listen.length + options.connect.length > 0) {
    const { subnet } = options
    try {
      const answer = await listen(session, {
        listen: [...options.listen],
        connect: [...options.connect],
        ...(subnet === undefined ? {} : { subnet }),
      })
      session.emit('open', answer)
    } catch (error) {
      session.emit('error', { ...describeFailure(error) })
      process.exitCode = 1
      return
    }
  }
  await serveLines(session, operationsOf(kind), process.stdin, write, end.signal)
  ensureExit()
}
