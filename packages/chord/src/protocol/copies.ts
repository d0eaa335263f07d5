/**
 * Writes for holders whose word nobody waits for: they are told a moment later, of all that has come together, and
 * do not answer. What a write is done with (write.ts) never comes this way.
 */
import type { Parcel } from './hand-overs.ts'
import { portionsOf } from './portions.ts'
import { copyPayload } from './table-messages.ts'
import type { Copy } from './table-messages.ts'

/** A writer that dies before leaves the rest to the repair among the holders. */
const gatherMs = 10
/** Of one message. */
const maxCopies = 512
const maxCopyBytes = 262_144

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
    this.#dueMs = Math.min(this.#dueMs, nowMs + gatherMs)
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
  return key.length + (value?.length ?? 0)
}
