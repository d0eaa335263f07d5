// Nodes driven by lines inside of this process.
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { serveLines } from '../src/node/json-lines.ts'
import type { Kind } from '../src/node/kind-names.ts'
import { operationsOf } from '../src/node/operations/table.ts'
import { Session } from '../src/node/session.ts'

export type Line = Readonly<Record<string, unknown>>

/** A node driven by lines, as the process does it, without the process. */
export class Driven {
  readonly lines: Line[] = []
  readonly ended: Promise<void>
  readonly #input = new PassThrough()
  readonly #output = new PassThrough()
  readonly #session: Session
  #sequence = 0

  /** @param subnet as `--subnet` on the command line */
  constructor(kind: Kind, subnet?: string) {
    const write = (line: object): void => {
      this.lines.push(line as Line)
      this.#output.emit('line')
    }
    this.#session = new Session(kind, write, subnet)
    this.ended = serveLines(this.#session, operationsOf(kind), this.#input, write)
  }

  async request(op: string, fields: object = {}): Promise<Line> {
    const seq = ++this.#sequence
    this.#input.write(`${JSON.stringify({ op, seq, ...fields })}\n`)
    return this.line((line) => line['re'] === seq)
  }

  /** Writes a line as it is. */
  write(line: string): void {
    this.#input.write(`${line}\n`)
  }

  /** The first line that matches, past or future. */
  async line(matches: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = this.lines.find(matches)
      if (found !== undefined) return found
      await once(this.#output, 'line')
    }
  }

  end(): void {
    this.#input.end()
  }

  /** As Ctrl-C does. */
  interrupt(): void {
    this.#session.end.abort()
  }
}
