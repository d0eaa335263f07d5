/** What a run cost: counted by the simulator, not by the machines under test. */
import type { SendPriority } from '../protocol/link.ts'

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
      if (isSend(effect)) {
        frames[effect.priority] += 1
        bytes[effect.priority] += effect.bytes.length
      } else if (effect.type === 'dial') {
        this.dials += 1
      } else if (effect.type === 'close') {
        this.closes += 1
      }
    },
  }
}

function isSend(effect: {
  readonly type: string
}): effect is { type: 'send'; priority: SendPriority; bytes: Uint8Array } {
  return effect.type === 'send' && 'priority' in effect && 'bytes' in effect
}

/** The value below which the given share (0 to 1) of the values lies; undefined for no values. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((one, two) => one - two)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
