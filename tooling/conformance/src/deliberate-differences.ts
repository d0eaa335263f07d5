/**
 * Where our behaviour is deliberately not the one that was recorded from the original programs. A check
 * under such an entry still checks what we do; it is counted, and named on stderr, instead of passing in
 * silence. Each entry says what the originals do, what we do, why, and where the rule comes from.
 */
export interface DeliberateDifference {
  /** What the references were seen to do. */
  readonly references: string
  /** What we do, and the check asserts. */
  readonly rule: string
  readonly reason: string
  /** Section of the protocol notes that asks for it. */
  readonly source: string
}

export type DifferenceName = 'js2p-numbers-are-not-narrowed'

export const deliberateDifferences: Readonly<Record<DifferenceName, DeliberateDifference>> = {
  'js2p-numbers-are-not-narrowed': {
    references: 'js2p writes integers outside int32 as float64 and float 1.0 as an integer',
    rule: 'numbers keep their kind: integers of 64 bits exactly, floats as float64',
    reason: 'a relay or a stored value must not change, and py2p keeps them apart',
    source: 'wire 2.1, 2.2',
  },
}
