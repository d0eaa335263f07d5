/**
 * One node in a process of its own, driven by JSON lines: commands on its stdin, answers and events
 * on its stdout. Ours (`p2p node … --json`) and the drivers of js2p and py2p speak the same lines.
 *
 * Nothing here sleeps or polls: every wait is for an answer, an event or the end of the process,
 * and ends with a NodeProcessError when the time limit passes or the process dies first.
 */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import * as z from 'zod/mini'
import type { Tagged } from './tagged.ts'

/** The answer to a command. Which further fields there are depends on the command. */
export interface Answer {
  readonly [field: string]: unknown
  readonly ok: boolean
}

/** An event. Which further fields there are depends on `ev`. */
export interface NodeEvent {
  readonly [field: string]: unknown
  readonly ev: string
}

/** A `message` event. */
export interface MessageEvent extends NodeEvent {
  readonly id: string
  readonly sender: Tagged
  /** A tagged array, the sub-flag first. */
  readonly packets: Tagged
}

export interface NodeProgram {
  /** Name for reports, such as `js2p`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

/** A command that was refused, or a wait that came to nothing. */
export class NodeProcessError extends Error {
  override readonly name = 'NodeProcessError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const answerLine = z.looseObject({ re: z.number(), ok: z.boolean() })
const eventLine = z.looseObject({ ev: z.string() })
const listenFields = z.looseObject({ id: z.string(), addresses: z.array(z.string()) })

/** How long a command or an event may take before the wait fails. */
const defaultTimeoutMs = 15_000
/** How long a process may take to end after its stdin was closed, before it is killed. */
const exitTimeoutMs = 20_000

export interface WaitOptions {
  readonly timeoutMs?: number | undefined
  /** Number of the first event that counts: the length of `events` at some earlier moment. */
  readonly since?: number
}

interface EventWait {
  readonly matches: (event: NodeEvent) => boolean
  readonly resolve: (event: NodeEvent) => void
}

export class NodeProcess {
  readonly name: string
  /** Everything the node reported so far, oldest first. */
  readonly events: NodeEvent[] = []
  /** The end of what the process wrote to stderr: for error reports. */
  stderr = ''
  /** Node id and addresses from the answer to `listen`. */
  id = ''
  addresses: readonly string[] = []

  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #answers = new Map<number, (answer: Answer) => void>()
  readonly #waits = new Set<EventWait>()
  readonly #ended: Promise<number | null>
  readonly #listeners: ((event: NodeEvent) => void)[] = []
  #sequence = 0

  constructor(program: NodeProgram) {
    this.name = program.name
    this.#child = spawn(program.command, [...program.args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr.setEncoding('utf8')
    this.#child.stderr.on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-20_000)
    })
    // Writing to a process that has just died is answered by the end of the process.
    this.#child.stdin.on('error', () => undefined)
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line))
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve(null))
      this.#child.once('close', (status) => resolve(status))
    })
  }

  /** Starts the node: sends `listen` and remembers what it answers. */
  async listen(
    fields: Readonly<Record<string, unknown>> = {},
    timeoutMs?: number,
  ): Promise<Answer> {
    const answer = await this.request('listen', fields, timeoutMs)
    const { id, addresses } = listenFields.parse(answer)
    this.id = id
    this.addresses = addresses
    return answer
  }

  /** First address others can dial. */
  get address(): string {
    const [first] = this.addresses
    if (first === undefined)
      throw new NodeProcessError('P2P_NOT_LISTENING', `${this.name} has no address`)
    return first
  }

  /** Sends a command; resolves with its answer, rejects with the answer's code when it says no. */
  async request(
    op: string,
    fields: Readonly<Record<string, unknown>> = {},
    timeoutMs: number = defaultTimeoutMs,
  ): Promise<Answer> {
    const seq = ++this.#sequence
    const answered = new Promise<Answer>((resolve) => this.#answers.set(seq, resolve))
    this.#child.stdin.write(`${JSON.stringify({ op, seq, ...fields })}\n`)
    const answer = await this.#within(timeoutMs, `an answer to ${op}`, answered)
    this.#answers.delete(seq)
    if (answer.ok) return answer
    throw new NodeProcessError(
      String(answer['code']),
      `${this.name} ${op}: ${String(answer['error'])}`,
    )
  }

  /** Writes a line as it is: for trying what the process makes of a broken command. */
  writeLine(text: string): void {
    this.#child.stdin.write(`${text}\n`)
  }

  /** The first event that matches, future or past, but not before the event number `since`. */
  async waitFor(
    what: string,
    matches: (event: NodeEvent) => boolean,
    { timeoutMs = defaultTimeoutMs, since = 0 }: WaitOptions = {},
  ): Promise<NodeEvent> {
    const past = this.events.find((event, index) => index >= since && matches(event))
    if (past !== undefined) return past
    let wait: EventWait | undefined
    const happened = new Promise<NodeEvent>((resolve) => {
      wait = { matches, resolve }
      this.#waits.add(wait)
    })
    try {
      return await this.#within(timeoutMs, what, happened)
    } finally {
      if (wait !== undefined) this.#waits.delete(wait)
    }
  }

  /** Waits until this node has got the peer. */
  async waitForPeer(id: string, options?: WaitOptions): Promise<void> {
    const matches = (event: NodeEvent): boolean => event.ev === 'peer_join' && event['id'] === id
    await this.waitFor(`peer_join of ${id.slice(0, 8)}`, matches, options)
  }

  /** Waits until this node has lost the peer. */
  async waitForLeave(id: string, options?: WaitOptions): Promise<void> {
    const matches = (event: NodeEvent): boolean => event.ev === 'peer_leave' && event['id'] === id
    await this.waitFor(`peer_leave of ${id.slice(0, 8)}`, matches, options)
  }

  /** Calls `fn` for every event from now on. */
  onEvent(fn: (event: NodeEvent) => void): void {
    this.#listeners.push(fn)
  }

  /** Messages received so far. */
  get messages(): readonly MessageEvent[] {
    return this.events.filter(isMessageEvent)
  }

  /** Closes stdin, which ends the node cleanly. Resolves with the status; null when it had to be killed. */
  async stop(): Promise<number | null> {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), exitTimeoutMs)
    const status = await this.#ended
    clearTimeout(timer)
    return status
  }

  /** Ends the process at once, as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Stops reading and running without ending (SIGSTOP), and goes on (SIGCONT). */
  freeze(): void {
    this.#child.kill('SIGSTOP')
  }
  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  #take(line: string): void {
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch {
      this.stderr += `\nnot JSON on stdout: ${line.slice(0, 200)}\n`
      return
    }
    const answer = answerLine.safeParse(json)
    if (answer.success) {
      this.#answers.get(answer.data.re)?.(answer.data)
      return
    }
    const event = eventLine.safeParse(json)
    if (!event.success) return
    this.events.push(event.data)
    for (const listener of this.#listeners) listener(event.data)
    for (const wait of this.#waits) if (wait.matches(event.data)) wait.resolve(event.data)
  }

  async #within<T>(timeoutMs: number, what: string, wanted: Promise<T>): Promise<T> {
    const done = new AbortController()
    const late = once(AbortSignal.timeout(timeoutMs), 'abort', { signal: done.signal }).then(() => {
      throw new NodeProcessError('P2P_WAIT_TIMEOUT', `${this.name}: no ${what} in ${timeoutMs} ms`)
    })
    const died = this.#ended.then((status) => {
      throw new NodeProcessError(
        'P2P_PROCESS_ENDED',
        `${this.name} ended with status ${status ?? 'none'} before ${what}; stderr: ${this.stderr.slice(-2_000)}`,
      )
    })
    // Whichever loses the race is no error of ours.
    late.catch(() => undefined)
    died.catch(() => undefined)
    try {
      return await Promise.race([wanted, late, died])
    } finally {
      done.abort()
    }
  }
}

export function isMessageEvent(event: NodeEvent): event is MessageEvent {
  return event.ev === 'message'
}
