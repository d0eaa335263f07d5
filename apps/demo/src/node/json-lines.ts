/**
 * Commands in, answers and events out, one JSON object per line. This file knows nothing of networks:
 * it reads lines, finds the operation, and sees to it that every command has exactly one answer.
 *
 *   {"op":"send","seq":3,"args":[{"t":"str","v":"hello"}]}
 *   {"re":3,"op":"send","ok":true,"ms":0.4,"id":"9f…"}
 *   {"re":4,"op":"fly","ok":false,"code":"P2P_UNKNOWN_COMMAND","error":"…"}
 */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod/mini'
import { describeFailure, LineError } from './line-error.ts'
import type { Operation } from './operation.ts'
import type { Session } from './session.ts'

/** After these there is a node, or none: what was said behind them is about what they leave. */
const turningPoints: ReadonlySet<string> = new Set(['listen', 'close'])

/** How long the end waits for commands that stand behind a `listen` or a `close`. */
const momentMs = 1_000

const commandLine = z.looseObject({ op: z.string(), seq: z.optional(z.number()) })

/**
 * Runs the operations until the input ends, `exit` comes or the session is to end. Commands run at the same time, but for
 * those behind a `listen` or a `close`: they wait until it is answered, so that a program may send all it has to say at once.
 */
export async function serveLines(
  session: Session,
  operations: ReadonlyMap<string, Operation>,
  input: Readable,
  write: (line: object) => void,
): Promise<void> {
  const { signal } = session.end
  const lines = createInterface({ input, crlfDelay: Infinity, signal })
  const running = new Set<Promise<void>>()
  const turning = new Set<Promise<void>>()
  let turned = Promise.resolve()
  for await (const line of lines) {
    if (line.trim() === '') continue
    const command = parseCommand(line)
    if ('failure' in command) {
      write(command.failure)
      continue
    }
    const { op, seq: re = null } = command.value
    if (op === 'exit') {
      write({ re, op, ok: true, ms: 0 })
      break
    }
    const answered = turned.then(() => answer(session, operations, command.value)).then(write)
    running.add(answered)
    if (turningPoints.has(op)) turning.add((turned = answered))
    void answered.finally(() => {
      running.delete(answered)
      turning.delete(answered)
    })
  }
  lines.close()
  // All may have been said at once, before the node was there.
  if (turning.size > 0) await momentFor(Promise.all(running), signal)
  session.end.abort()
  // Whatever still waits for the network ends with the node.
  await session.close()
  await Promise.all(running)
  // One that was being opened until now.
  await session.close()
}

/** Waits for the work, but not for long, and not beyond the signal. */
async function momentFor(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const moment = delay(momentMs, undefined, { signal: AbortSignal.any([signal, over.signal]) })
  await Promise.race([work, moment.catch(() => undefined)])
  over.abort()
}

type Command = z.infer<typeof commandLine>

function parseCommand(line: string): { readonly value: Command } | { readonly failure: object } {
  const refuse = (error: string): { readonly failure: object } => ({
    failure: { re: null, op: null, ok: false, code: 'P2P_BAD_COMMAND', error },
  })
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return refuse('a command is one JSON object on one line')
  }
  const parsed = commandLine.safeParse(json)
  return parsed.success ? { value: parsed.data } : refuse(z.prettifyError(parsed.error))
}

async function answer(
  session: Session,
  operations: ReadonlyMap<string, Operation>,
  command: Command,
): Promise<object> {
  const started = performance.now()
  const head = { re: command.seq ?? null, op: command.op }
  try {
    const run = operations.get(command.op)
    if (run === undefined)
      throw new LineError('P2P_UNKNOWN_COMMAND', `no op ${command.op} for ${session.kind} nodes`)
    const fields = await run(session, command)
    const ms = Math.round((performance.now() - started) * 1_000) / 1_000
    return { ...head, ok: true, ms, ...fields }
  } catch (error) {
    return { ...head, ok: false, ...describeFailure(error) }
  }
}
