/**
 * Writes for holders whose word nobody waits for: they do not answer. What one turn of the event loop brings goes out
 * together at its end, and no later: a writer that dies in a burst of writes, and two holders with it, would take
 * those with it that only they have. What a write is done with (write.ts) never comes this way.
 */
import type { Parcel } from './hand-overs.ts'
import { portionsOf } from './portions.ts'
import { copyPayload } from './table-messages.ts'
import type { Copy } from './table-messages.ts'

/** Of one message: it fits a frame of 64 KiB, unless one value is longer. */
const maxCopies = 512
const maxCopyBytes = 61_440
/** Of one copy besides key and value: version, tables, and to whom. */
const besidesBytes = 160

export class Copies {
  readonly #byHolder = new Map<string, Copy[]>()
  #dueMs = Infinity

  nextDeadline(): number {
    return this.#dueMs
  }

  add(holder: string, copy: Copy, nowMs: number): void {
    const copies = this.#byHolder.get(holder)
    if (copies === undefined) this.#byHolder.set(holder, [copy])
    else copies.push(copy)
    this.#dueMs = Math.min(this.#dueMs, nowMs)
  }

  takeAll(): readonly Parcel[] {
    const parcels: Parcel[] = []
    for (const [peer, copies] of this.#byHolder)
      for (const portion of portionsOf(copies, maxCopies, maxCopyBytes, sizeOf))
        parcels.push({ peer, payload: copyPayload(portion) })
    this.#byHolder.clear()
    this.#dueMs = Infinity
    return parcels
  }
}

function sizeOf({ key, value }: Copy): number {
  return key.length + (value?.length ?? 0) + besidesBytes
}
