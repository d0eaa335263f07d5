/** Without control characters: what comes from others could play tricks with the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '�')
}
