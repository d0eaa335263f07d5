/** One command of the JSON lines: what it takes, and what it does. */
import * as z from 'zod/mini'
import { LineError } from './line-error.ts'
import type { Session } from './session.ts'

/** Further fields of the answer. */
export type Fields = Readonly<Record<string, unknown>>

export type Operation = (session: Session, command: unknown) => Fields | Promise<Fields>

/** Checks the fields of the command before `run` sees them. Unknown fields are ignored. */
export function operation<Command>(
  schema: z.ZodMiniType<Command>,
  run: (session: Session, command: Command) => Fields | Promise<Fields>,
): Operation {
  return (session, command) => {
    const parsed = schema.safeParse(command)
    if (!parsed.success) throw new LineError('P2P_BAD_COMMAND', z.prettifyError(parsed.error))
    return run(session, parsed.data)
  }
}
