/** Reads the recorded arithmetic of the originals (`chord.json`), each kind with its own shape. */
import { readFileSync } from 'node:fs'

interface Hashes {
  readonly kind: 'hashes'
  readonly key: string
  readonly methods: readonly string[]
  readonly hashes: readonly string[]
}
interface Distance {
  readonly kind: 'distance'
  readonly a: string
  readonly b: string
  /** Size of the ring when it is not 2^384. */
  readonly limit?: string
  readonly distance: string
}
interface Ring {
  readonly kind: 'ring'
  readonly name: string
  readonly self: string
  readonly self_leeching: boolean
  readonly peers: readonly { readonly id: string; readonly leeching: boolean }[]
  readonly keys: readonly string[]
  /** For each key the node found: 0 is self, n is peers[n-1], null is nobody. */
  readonly find: readonly (number | null)[]
}
interface Dump {
  readonly kind: 'dump'
  readonly name: string
  readonly start: string
  readonly end: string
  /** Slots by table. */
  readonly data: Readonly<Record<string, readonly string[]>>
  readonly dumped: Readonly<Record<string, readonly string[]>>
}
type Recorded = Hashes | Distance | Ring | Dump

const file: { readonly cases: readonly Recorded[] } = JSON.parse(
  readFileSync(new URL('./chord.json', import.meta.url), 'utf8'),
)

export function recordedCases<Kind extends Recorded['kind']>(
  kind: Kind,
): readonly Extract<Recorded, { kind: Kind }>[] {
  return file.cases.filter((one): one is Extract<Recorded, { kind: Kind }> => one.kind === kind)
}
