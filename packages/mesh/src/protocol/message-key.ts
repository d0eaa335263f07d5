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
  const units = new Uint16Array(id.slice(offset, offset + shortIdBytes).buffer)
  return String.fromCharCode(...units) as MessageKey
}

/** The ids that keys were made of, end to end. */
export function joinKeys(keys: readonly MessageKey[]): Uint8Array {
  const text = keys.join('')
  const units = Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
  return new Uint8Array(units.buffer)
}
