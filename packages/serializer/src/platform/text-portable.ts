/** Reading UTF-8 where only the web platform is there. */
export { readUtf8Strictly as readUtf8 } from '../text.ts'

const hexDigits: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** Two digits per byte. */
export function writeHex(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += hexDigits[bytes[i] as number] as string
  return text
}
