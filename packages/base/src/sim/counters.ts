/** What a run cost: counted by the simulator, not by the machines under test. */
import type { LinkEffect, SendPriority } from '../protocol/link.ts'

export interface SimCounters {
  /** Entries of the schedule that happened. */
  steps: number
  /** Inputs that machines handled. */
  inputs: number
  dials: number
  closes: number
  /** Frames that machines sent, by what they were, and their bytes. */
  readonly frames: Record<SendPriority, number>
  readonly bytes: Record<SendPriority, number>
  /** Internal: counts one effect. */
  onEffect(effect: { readonly type: string }): void
}

export function createCounters(): SimCounters {
  const frames = { control: 0, own: 0, relay: 0, announce: 0 }
  const bytes = { control: 0, own: 0, relay: 0, announce: 0 }
  return {
    steps: 0,
    inputs: 0,
    dials: 0,
    closes: 0,
    frames,
    bytes,
    onEffect(effect): void {
      switch (effect.type) {
        case 'send':
          if (!isSend(effect)) return
          frames[effect.priority] += 1
          bytes[effect.priority] += effect.bytes.length
          return
        case 'dial':
          this.dials += 1
          return
        case 'close':
          this.closes += 1
      }
    },
  }
}

type Sent = Extract<LinkEffect, { type: 'send' }>

function isSend(effect: { readonly type: string } & Partial<Omit<Sent, 'type'>>): effect is Sent {
  return effect.priority !== undefined && effect.bytes !== undefined
}

/** The value below which the given share (0 to 1) of the values lies; undefined for no values. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((one, two) => one - two)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
