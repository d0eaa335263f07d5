/**
 * Writes for holders whose word nobody waits for: they do not answer. A single one leaves at once; of many, what has
 * come together in a moment. What a write is done with (write.ts) never comes this way.
 */
import type { Parcel } from './hand-overs.ts'
import { portionsOf } from './portions.ts'
import { copyPayload } from './table-messages.ts'
import type { Copy } from './table-messages.ts'

/** From one message to the next. What a writer has not told when it dies is left to the repair among the holders. */
const pauseMs = 10
/** Of one message. */
const maxCopies = 512
const maxCopyBytes = 262_144

export class Copies {
  readonly #byHolder = new Map<string, Copy[]>()
  #dueMs = Infinity
  #pauseEndMs = -Infinity

  nextDeadline(): number {
    return this.#dueMs
  }

  add(holder: string, copy: Copy, nowMs: number): void {
    const copies = this.#byHolder.get(holder)
    if (copies === undefined) this.#byHolder.set(holder, [copy])
    else copies.push(copy)
    this.#dueMs = Math.min(this.#dueMs, Math.max(nowMs, this.#pauseEndMs))
  }

  takeAll(nowMs: number): readonly Parcel[] {
    const parcels: Parcel[] = []
    for (const [peer, copies] of this.#byHolder)
      for (const portion of portionsOf(copies, maxCopies, maxCopyBytes, sizeOf))
        parcels.push({ peer, payload: copyPayload(portion) })
    this.#byHolder.clear()
    this.#dueMs = Infinity
    this.#pauseEndMs = nowMs + pauseMs
    return parcels
  }
}

function sizeOf({ key, value }: Copy): number {
  return key.length + (value?.length ?? 0)
}
