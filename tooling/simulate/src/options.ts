/** The command line of `npm run sim`. */
import { parseArgs } from 'node:util'
import { allFaultKinds } from '@p2p/base/sim'
import type { FaultKind } from '@p2p/base/sim'
import { stormKinds } from './mesh-storm.ts'
import type { Storm } from './mesh-storm.ts'

/** What a hash table network lives through, in this order. */
const chordPhases = ['balance', 'crash', 'churn', 'partition'] as const
const defaultPhases = 'crash,churn,partition'
export type ChordPhase = (typeof chordPhases)[number]

/** Networks that can be simulated. */
const types = ['mesh', 'sync', 'chord', 'p2py'] as const

export interface SimOptions {
  readonly type: (typeof types)[number]
  /** Nodes of each run; drawn from the range by the run's seed. */
  readonly minNodes: number
  readonly maxNodes: number
  readonly firstSeed: number
  readonly seedCount: number
  readonly faults: readonly FaultKind[]
  /** Simulated minutes with faults. */
  readonly faultMinutes: number
  /** Share of old peers, half of them py2p and half js2p. */
  readonly oldShare: number
  /** Peers that mean harm, besides the nodes. */
  readonly hostileCount: number
  /** Broadcasts of which delivery, copies and times are measured before the faults. */
  readonly broadcasts: number
  readonly dissemination: 'tree' | 'flood'
  /** What happens to the mesh at a stroke, after the measured broadcasts. */
  readonly storm: Storm | undefined
  /** Keys that are written (chord). */
  readonly keys: number
  /** Mean time that a node stays, in simulated minutes (chord). */
  readonly sessionMinutes: number
  /** Time from one newcomer to the next (chord). */
  readonly spacingMs: number
  /** What happens to the network (chord). */
  readonly phases: readonly ChordPhase[]
  /** Longest time between two comparisons of replicas (chord). */
  readonly repairSeconds: number
  /** Silence after which a link is asked for a sign of life (chord). */
  readonly heartbeatSeconds: number
  /** Messages to UUIDs that each node sends in each phase (p2py). */
  readonly messages: number
  /** Runs one seed after another until this much real time has passed. */
  readonly maxWallSeconds: number
  /** Copies that one of ours sends of a message at most, on average of a run; more, or an old peer without one, is a broken run. */
  readonly maxCopies: number
  /** Threads that run seeds side by side. */
  readonly workerCount: number
  /** Simulated seconds per second of processor time, below which the run fails. */
  readonly minSpeed: number
  /** Without the second run of the first seed, which must give the same trace. */
  readonly isOnce: boolean
  readonly transcript: boolean
  readonly json: boolean
}

export const usage: string = `npm run sim -- [options]

  --type mesh            which network (mesh, sync, chord, p2py)
  --nodes 100 | 16-64    nodes per run, or a range from which each seed draws
  --seeds 1              how many runs
  --seed 1               the first seed; a failing run prints the seed that repeats it
  --faults none          none, all, or a list: ${allFaultKinds.join(',')}
  --minutes 10           simulated minutes with faults
  --old 0                share of old peers (0 to 1), py2p and js2p in turn
  --hostile 0            hostile peers besides the nodes: noise, forged messages, replays …
  --broadcasts 20        broadcasts that are measured before the faults; with --storm unrest, sent in it
  --dissemination tree   tree or flood
  --storm crash:0.5      half of the nodes die at once; churn:0.1 replaces a tenth of them each second,
                         liars:0.4 pass nothing on, unrest jumps clocks and breaks links all the time
  --keys 200             chord: keys that are written and must survive
  --session 60           chord: mean minutes that a node stays, for --minutes of churn
  --phases crash,churn,partition   chord: what the network lives through; balance comes before these
  --spacing 200          chord: milliseconds from one newcomer to the next; 0 for all at once
  --repair 60            chord: seconds at most between two comparisons of replicas
  --heartbeat 10         chord: seconds of silence before a link is asked for a sign of life
  --messages 2           p2py: messages to UUIDs that each node sends in each phase
  --max-seconds          stop starting new seeds after so many real seconds
  --min-speed 0          fail below so many simulated seconds per second of processor time
  --max-copies           fail a run in which ours sent more copies, per message that one of them had,
                         or an old peer was left without a message
  --workers 1            threads that run seeds side by side
  --once                 do not run the first seed again to see whether it gives the same trace
  --transcript           print the last events of the node that broke an invariant
  --json                 print the JSON line and nothing else on stdout

A sync network writes in the calm, then everybody fights for the same keys under faults; old and
hostile peers are for meshes. Even seeds lease their keys, odd ones do not.

A chord network joins, writes its keys, loses half of its nodes at once, lives through --minutes of
churn, and through a partition; it takes --nodes, --seeds, --seed, --keys, --session, --minutes,
--phases, --spacing, --repair and --heartbeat. In balance, nodes share the load evenly, while keys are read.

A p2py network joins, talks, loses nodes and gains others while it talks, and talks again; it takes
--nodes, --seeds, --seed, --messages and the options that say how to run.

Ends with one JSON line; status 1 when an invariant broke.`

/** Reads the arguments. Throws a RangeError or TypeError that says what is wrong. */
export function parseOptions(args: readonly string[]): SimOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      type: { type: 'string', default: 'mesh' },
      nodes: { type: 'string', default: '100' },
      seeds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      faults: { type: 'string', default: 'none' },
      minutes: { type: 'string', default: '10' },
      old: { type: 'string', default: '0' },
      hostile: { type: 'string', default: '0' },
      broadcasts: { type: 'string', default: '20' },
      dissemination: { type: 'string', default: 'tree' },
      storm: { type: 'string', default: 'none' },
      keys: { type: 'string', default: '200' },
      session: { type: 'string', default: '60' },
      phases: { type: 'string', default: defaultPhases },
      spacing: { type: 'string', default: '200' },
      repair: { type: 'string', default: '60' },
      heartbeat: { type: 'string', default: '10' },
      messages: { type: 'string', default: '2' },
      'max-seconds': { type: 'string', default: 'Infinity' },
      'min-speed': { type: 'string', default: '0' },
      'max-copies': { type: 'string', default: 'Infinity' },
      workers: { type: 'string', default: '1' },
      once: { type: 'boolean', default: false },
      transcript: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const type = readType(values.type)
  if (type !== 'mesh') refuseMeshOptions(type, values)
  const [minNodes, maxNodes] = readRange(values.nodes)
  return {
    type,
    minNodes,
    maxNodes,
    firstSeed: readNumber('seed', values.seed, { min: 0 }),
    seedCount: readNumber('seeds', values.seeds, { min: 1 }),
    faults: readFaults(values.faults),
    faultMinutes: readNumber('minutes', values.minutes, { min: 0 }),
    oldShare: readNumber('old', values.old, { min: 0, max: 0.95 }),
    hostileCount: readNumber('hostile', values.hostile, { min: 0, max: 1_000 }),
    broadcasts: readNumber('broadcasts', values.broadcasts, { min: 1 }),
    dissemination: readDissemination(values.dissemination),
    storm: readStorm(values.storm),
    keys: readNumber('keys', values.keys, { min: 1, max: 100_000 }),
    sessionMinutes: readNumber('session', values.session, { min: 0.1 }),
    spacingMs: readNumber('spacing', values.spacing, { min: 0 }),
    phases: readPhases(values.phases),
    repairSeconds: readNumber('repair', values.repair, { min: 1 }),
    heartbeatSeconds: readNumber('heartbeat', values.heartbeat, { min: 1 }),
    messages: readNumber('messages', values.messages, { min: 1, max: 1_000 }),
    maxWallSeconds: readNumber('max-seconds', values['max-seconds'], { min: 1 }),
    minSpeed: readNumber('min-speed', values['min-speed'], { min: 0 }),
    maxCopies: readNumber('max-copies', values['max-copies'], { min: 0 }),
    workerCount: readNumber('workers', values.workers, { min: 1, max: 64 }),
    isOnce: values.once,
    transcript: values.transcript,
    json: values.json,
  }
}

function readType(text: string): SimOptions['type'] {
  const type = types.find((known) => known === text)
  if (type === undefined) {
    throw new RangeError(`unknown type "${text}"; known: ${types.join(', ')}`)
  }
  return type
}

/** Throws for an option that would have no effect. */
function refuseMeshOptions(
  type: Exclude<SimOptions['type'], 'mesh'>,
  values: Readonly<Record<'faults' | 'old' | 'hostile' | 'storm', string>>,
): void {
  const given = [
    ['faults', type !== 'sync' && values.faults !== 'none'],
    ['old', values.old !== '0'],
    ['hostile', values.hostile !== '0'],
    ['storm', values.storm !== 'none'],
  ] as const
  for (const [name, isGiven] of given) {
    if (isGiven) throw new RangeError(`--${name} has no meaning with --type ${type}`)
  }
}

function readNumber(
  name: string,
  text: string,
  { min, max = Infinity }: { readonly min: number; readonly max?: number },
): number {
  const number = Number(text)
  if (text.trim() === '' || Number.isNaN(number) || number < min || number > max) {
    throw new RangeError(`--${name} must be a number from ${min} to ${max}, got "${text}"`)
  }
  return number
}

function readRange(text: string): readonly [number, number] {
  const [low = '', high = low, ...rest] = text.split('-')
  const min = readNumber('nodes', low, { min: 2, max: 100_000 })
  const max = readNumber('nodes', high, { min, max: 100_000 })
  if (rest.length > 0 || !Number.isInteger(min) || !Number.isInteger(max)) {
    throw new RangeError(`--nodes must be a whole number or a range such as 16-64, got "${text}"`)
  }
  return [min, max]
}

function readFaults(text: string): readonly FaultKind[] {
  if (text === 'none') return []
  if (text === 'all') return allFaultKinds
  return text.split(',').map((name) => {
    const kind = allFaultKinds.find((known) => known === name)
    if (kind === undefined) {
      throw new RangeError(`unknown fault "${name}"; known: ${allFaultKinds.join(', ')}`)
    }
    return kind
  })
}

function readStorm(text: string): Storm | undefined {
  if (text === 'none') return undefined
  const [name, share = '0', ...rest] = text.split(':')
  const kind = stormKinds.find((known) => known === name)
  if (kind === undefined || rest.length > 0) {
    throw new RangeError(
      `unknown storm "${text}"; known: ${stormKinds.join(', ')}, as in crash:0.5`,
    )
  }
  return { kind, share: readNumber('storm', share, { min: 0, max: 0.95 }) }
}

function readPhases(text: string): readonly ChordPhase[] {
  return text.split(',').map((name) => {
    const phase = chordPhases.find((known) => known === name)
    if (phase === undefined) {
      throw new RangeError(`unknown phase "${name}"; known: ${chordPhases.join(', ')}`)
    }
    return phase
  })
}

function readDissemination(text: string): 'tree' | 'flood' {
  if (text === 'tree' || text === 'flood') return text
  throw new RangeError(`--dissemination is tree or flood, got "${text}"`)
}
