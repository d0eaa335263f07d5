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

/** Of what is wrong with the command line rather than with the world. */
const usageCodes: ReadonlySet<string> = new Set(['P2P_INVALID_ARGUMENT', 'P2P_BAD_COMMAND'])

/**
 * Reads commands from stdin, writes answers and events to stdout. With addresses on the command line
 * the node opens at once and says so by an `open` event; without, the `listen` command opens it.
 */
export async function runNode(kind: Kind, options: NodeCommandOptions): Promise<void> {
  const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
  const session = new Session(kind, write, options.subnet)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => session.end.abort())
  if (await opens(session, options))
    await serveLines(session, operationsOf(kind), process.stdin, write)
  else await session.close()
  ensureExit()
}

/** Whether there are lines to serve: not when the node could not open, nor when it was told to end meanwhile. */
async function opens(
  session: Session,
  { listen: listenAt, connect }: NodeCommandOptions,
): Promise<boolean> {
  if (listenAt.length + connect.length === 0) return true
  const { signal } = session.end
  try {
    const answer = await listen(session, { listen: listenAt, connect })
    if (signal.aborted) return false
    session.emit('open', answer)
    return true
  } catch (error) {
    if (signal.aborted) return false
    const failure = describeFailure(error)
    session.emit('error', failure)
    process.exitCode = usageCodes.has(failure.code) ? 2 : 1
    return false
  }
}
