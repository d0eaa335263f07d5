/** Where a page gets its network from: real nodes, or nodes simulated in this tab. The views see only this. */
import type { ControlCommand } from '../../src/view/world-event.ts'
import type { World } from './world.ts'

export interface DictionaryRow {
  readonly key: string
  readonly value: string
  readonly owner: string
  /** Seconds until the lease runs out; undefined when anybody may write. */
  readonly leaseSeconds: number | undefined
}

/** One of the five places of a key. */
export interface PlaceRow {
  readonly table: string
  /** Hexadecimal digits. */
  readonly position: string
  readonly owner: string | undefined
  readonly holders: readonly string[]
  readonly hops: number
}

export interface Source {
  readonly world: World
  /** Ids of the nodes that the page writes with. */
  readonly ownIds: ReadonlySet<string>
  /** The node through which the hash table is seen; where lookups begin. */
  readonly viewpoint: string | undefined
  /** What is going on, in a few words. */
  readonly status: string
  command(command: ControlCommand): Promise<void>
  say(text: string): void
  readonly dictionary:
    | {
        rows(): readonly DictionaryRow[]
        /** Throws an error whose message says why the write is refused. */
        set(key: string, value: string): void
        remove(key: string): void
      }
    | undefined
  readonly table:
    | {
        set(key: string, value: string): Promise<void>
        get(key: string): Promise<string | undefined>
        locate(key: string): readonly PlaceRow[]
      }
    | undefined
  close(): Promise<void>
}
