/**
 * The form in which the mesh keeps message ids in maps: the first 16 of the 32 bytes, packed into
 * eight UTF-16 units. Half a SHA-256 is still far beyond anybody's means to collide on purpose
 * within a minute, and a short string is what a JavaScript map hashes fastest.
 */

export type MessageKey = string & { readonly __brand: 'MessageKey' }

/** Bytes of an id that travel in announcements, and that a key is made of. */
export const shortIdBytes = 16

/** The key of the id that starts at `offset`; 16 bytes must stand there. */
export function messageKey(id: Uint8Array, offset = 0): MessageKey {
  const unit = (at: number): number => ((id[offset + at] ?? 0) << 8) | (id[offset + at + 1] ?? 0)
  return String.fromCharCode(
    unit(0),
    unit(2),
    unit(4),
    unit(6),
    unit(8),
    unit(10),
    unit(12),
    unit(14),
  ) as MessageKey
}

/** The ids that keys were made of, end to end. */
export function joinKeys(keys: readonly MessageKey[]): Uint8Array {
  const bytes = new Uint8Array(shortIdBytes * keys.length)
  let offset = 0
  for (const key of keys) {
    for (let unit = 0; unit < shortIdBytes / 2; unit += 1) {
      const code = key.charCodeAt(unit)
      bytes[offset] = code >> 8
      bytes[offset + 1] = code & 0xff
      offset += 2
    }
  }
  return bytes
}
