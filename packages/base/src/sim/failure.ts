/** What a simulation throws when something that must always hold does not. */
import type { Transcript, TranscriptEntry } from './trace.ts'

/** Names of the rules that the simulator itself checks, whatever the application adds. */
export const builtInInvariants = {
  handleNeverThrows: 'handle-never-throws',
  deadlinesAdvance: 'deadlines-advance',
} as const

/**
 * An invariant is broken. The message holds everything that is needed to see it again: the seed, the
 * simulated time, and the last events of the node.
 */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly seed: number | string
  readonly invariant: string
  readonly atMs: number
  /** The node that broke it; undefined when it is the network as a whole. */
  readonly node: string | undefined
  readonly detail: string
  readonly transcript: readonly string[]

  constructor(options: {
    readonly seed: number | string
    readonly invariant: string
    readonly atMs: number
    readonly node: string | undefined
    readonly detail: string
    readonly transcript: readonly string[]
    readonly cause?: unknown
  }) {
    const where = options.node === undefined ? '' : ` at ${options.node}`
    const lines = options.transcript.map((line) => `  ${line}`)
    super(
      [
        `invariant "${options.invariant}" broken${where}, seed ${options.seed}, after ${formatMs(options.atMs)}: ${options.detail}`,
        ...lines,
      ].join('\n'),
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.seed = options.seed
    this.invariant = options.invariant
    this.atMs = options.atMs
    this.node = options.node
    this.detail = options.detail
    this.transcript = options.transcript
  }
}

/** The last events of a node as lines of text, oldest first. */
export function formatTranscript(transcript: Transcript): string[] {
  return transcript.entries().map(formatEntry)
}

function formatEntry({ atMs, direction, event }: TranscriptEntry): string {
  const fields = Object.entries(event)
    .filter(([name, value]) => name !== 'type' && value !== undefined)
    .map(([name, value]) => `${name}=${formatValue(value)}`)
  const arrow = direction === 'in' ? '→' : '←'
  return [formatMs(atMs).padStart(12), arrow, event.type, ...fields].join(' ')
}

function formatMs(atMs: number): string {
  return `${(atMs / 1_000).toFixed(3)} s`
}

const shownBytes = 12

function formatValue(value: unknown): string {
  if (value instanceof Uint8Array) return formatBytes(value)
  if (value instanceof Error) return 'code' in value ? String(value.code) : value.message
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) {
    if ('id' in value && (typeof value.id === 'string' || value.id instanceof Uint8Array)) {
      return formatValue(value.id)
    }
    return '{…}'
  }
  return String(value)
}

/** `55:035e5dc28686…`: how many, and the first of them. */
function formatBytes(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, shownBytes)].map((byte) => byte.toString(16).padStart(2, '0'))
  return `${bytes.length}:${shown.join('')}${bytes.length > shownBytes ? '…' : ''}`
}
