/**
 * Remembers short keys by their bytes: maps of one application have the same keys again and again, and
 * a text that is known already need not be made, nor interned by the engine, a second time.
 *
 * A fixed table, so a peer that sends many keys evicts entries and gains nothing.
 */
const slots = 512
const longestKeyBytes = 24

export class KeyCache {
  readonly #keys = new Array<Uint8Array | undefined>(slots)
  readonly #texts = new Array<string | undefined>(slots)

  /** The text of these bytes, if it is remembered. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    if (end - start > longestKeyBytes) return undefined
    const slot = slotOf(bytes, start, end)
    const key = this.#keys[slot]
    if (key?.length !== end - start) return undefined
    for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return undefined
    return this.#texts[slot]
  }

  remember(bytes: Uint8Array, start: number, end: number, text: string): void {
    if (end - start > longestKeyBytes) return
    const slot = slotOf(bytes, start, end)
    this.#keys[slot] = bytes.slice(start, end)
    this.#texts[slot] = text
  }
}

/** A table slot for a key. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start
  for (let i = start; i < end; i++) hash = (hash * 31 + (bytes[i] as number)) | 0
  return (hash ^ (hash >>> 9)) & (slots - 1)
}
