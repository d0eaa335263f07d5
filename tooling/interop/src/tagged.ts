/**
 * Values on the JSON lines: tagged, so that str and bin, int and float stay apart.
 * `{t: 'str', v}`, `{t: 'bin', hex}`, `{t: 'int', v: '5'}`, `{t: 'float', hex}`, `{t: 'nil'}`, …
 */
export type Tagged =
  | { readonly t: 'nil' }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'int'; readonly v: string }
  | { readonly t: 'float'; readonly hex: string }
  | { readonly t: 'str'; readonly v: string }
  | { readonly t: 'bin'; readonly hex: string }
  | { readonly t: 'array'; readonly v: readonly Tagged[] }
  | { readonly t: 'map'; readonly v: readonly (readonly [Tagged, Tagged])[] }

export const nil: Tagged = { t: 'nil' }
export const text = (v: string): Tagged => ({ t: 'str', v })
export const integer = (v: number | bigint): Tagged => ({ t: 'int', v: v.toString() })
export const bytes = (v: Uint8Array): Tagged => ({ t: 'bin', hex: Buffer.from(v).toString('hex') })
export const list = (...v: readonly Tagged[]): Tagged => ({ t: 'array', v })
export const map = (...v: readonly (readonly [Tagged, Tagged])[]): Tagged => ({ t: 'map', v })
export const float = (v: number): Tagged => {
  const buffer = Buffer.alloc(8)
  buffer.writeDoubleBE(v)
  return { t: 'float', hex: buffer.toString('hex') }
}

/** Text of a str or bin value: ids are sent as either. */
export function tagToText(value: Tagged): string | undefined {
  if (value.t === 'str') return value.v
  return value.t === 'bin' ? Buffer.from(value.hex, 'hex').toString('utf8') : undefined
}
