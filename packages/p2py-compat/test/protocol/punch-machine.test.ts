// The recipe of hole punching, by its effects in virtual time.
import { describe, expect, test } from '@jest/globals'
import {
  defaultPunchLimits,
  PunchMachine,
  type PunchEffect,
  type PunchInput,
  type PunchPlan,
} from '../../src/protocol/punch-machine.ts'

const peer = { host: '203.0.113.9', port: 40_000 }
const plan: PunchPlan = {
  peer,
  isIndependent: true,
  isPeerIndependent: true,
  isRequester: true,
}

const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({ monoMs, utcSeconds: 0 })

/** Counts up, so that no two ports are the same and every draw is known. */
function counting(): (count: number) => Uint8Array {
  let next = 0
  return (count) => {
    next += 1
    return count === 1 ? Uint8Array.of(255) : Uint8Array.of(next >> 8, next & 255)
  }
}

function start(
  changes: Partial<PunchPlan> = {},
  limits = {},
): { machine: PunchMachine; effects: readonly PunchEffect[] } {
  const machine = new PunchMachine({ ...plan, ...changes }, counting(), limits)
  return { machine, effects: machine.handle({ type: 'start' }, at(0)) }
}

/** Takes every deadline until `untilMs`; returns what it led to. */
function pass(machine: PunchMachine, untilMs: number): PunchEffect[] {
  const effects: PunchEffect[] = []
  for (let next = machine.nextDeadline(); next <= untilMs; next = machine.nextDeadline())
    effects.push(...machine.handle({ type: 'deadline' }, at(next)))
  return effects
}

const connect = { type: 'connect', address: peer, fromKnownPort: true }

describe('two independent NATs', () => {
  test('both connect at once, from the port the NAT has opened', () => {
    expect(start().effects).toEqual([{ ...connect, attempt: 1 }])
  })

  test('after a failure the next try comes within half of what the last one took, from the same port', () => {
    const { machine } = start()
    expect(machine.handle({ type: 'failed', attempt: 1 }, at(100))).toEqual([])
    expect(machine.nextDeadline()).toBe(150) // the largest draw
    expect(pass(machine, 150)).toEqual([{ ...connect, attempt: 2 }])
    machine.handle({ type: 'failed', attempt: 2 }, at(210))
    expect(machine.nextDeadline()).toBe(240)
  })

  test('to a very near peer the pause is still drawn from 5 ms', () => {
    const { machine } = start()
    machine.handle({ type: 'failed', attempt: 1 }, at(1))
    expect(machine.nextDeadline()).toBe(6)
  })

  test('whoever was reset for three seconds pauses eight times as long', () => {
    const { machine } = start()
    machine.handle({ type: 'failed', attempt: 1 }, at(2_998))
    pass(machine, 4_497)
    machine.handle({ type: 'failed', attempt: 2 }, at(4_597))
    expect(machine.nextDeadline()).toBe(4_597 + 8 * 50)
  })

  test('after maxDurationMs it is over, and what is open is dropped', () => {
    const { machine } = start()
    const { maxDurationMs } = defaultPunchLimits
    expect(machine.handle({ type: 'deadline' }, at(maxDurationMs - 1))).toEqual([])
    expect(machine.handle({ type: 'deadline' }, at(maxDurationMs))).toEqual([
      { type: 'drop', attempt: 1 },
      { type: 'lost' },
    ])
    expect(machine.nextDeadline()).toBe(Infinity)
  })
})

describe('which connection is kept', () => {
  test('a connection is greeted when it is there, and won by the requester when the peer greets', () => {
    const { machine } = start()
    expect(machine.handle({ type: 'connected', attempt: 1 }, at(10))).toEqual([
      { type: 'greet', attempt: 1, keep: false },
    ])
    expect(machine.handle({ type: 'greeted', attempt: 1, keep: false }, at(20))).toEqual([
      { type: 'greet', attempt: 1, keep: true },
      { type: 'won', attempt: 1 },
    ])
  })

  test('the other side waits until the requester has chosen, and drops the rest', () => {
    const { machine } = start({ isRequester: false, isIndependent: false }, { maxSockets: 3 })
    expect(machine.handle({ type: 'greeted', attempt: 1, keep: false }, at(20))).toEqual([])
    expect(machine.handle({ type: 'greeted', attempt: 2, keep: true }, at(30))).toEqual([
      { type: 'won', attempt: 2 },
      { type: 'drop', attempt: 1 },
      { type: 'drop', attempt: 3 },
    ])
  })

  test.each<PunchInput>([
    { type: 'start' },
    { type: 'connected', attempt: 2 },
    { type: 'failed', attempt: 2 },
    { type: 'greeted', attempt: 2, keep: true },
    { type: 'deadline' },
  ])('once it is won, nothing happens any more: $type', (late) => {
    const { machine } = start()
    machine.handle({ type: 'greeted', attempt: 1, keep: false }, at(20))
    expect(machine.handle(late, at(30))).toEqual([])
    expect(machine.nextDeadline()).toBe(Infinity)
  })
})

describe('one random-mapping NAT', () => {
  test('its side opens maxSockets sockets at once, each from a port of its own', () => {
    const { effects } = start({ isIndependent: false })
    expect(effects).toHaveLength(defaultPunchLimits.maxSockets)
    for (const effect of effects)
      expect(effect).toMatchObject({ type: 'connect', address: peer, fromKnownPort: false })
  })

  test('the other side waits 50 ms, then probes in small groups, no port twice, maxProbes in all', () => {
    const { machine, effects } = start({ isPeerIndependent: false })
    expect(effects).toEqual([])
    expect(pass(machine, 49)).toEqual([])
    expect(pass(machine, 50)).toHaveLength(32)
    const ports = pass(machine, defaultPunchLimits.maxProbingMs - 1).flatMap((effect) =>
      effect.type === 'connect' ? [effect.address.port] : [],
    )
    expect(ports).toHaveLength(defaultPunchLimits.maxProbes - 32)
    expect(new Set(ports).size).toBe(ports.length)
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1_024)
  })

  test.each([{ isIndependent: false }, { isPeerIndependent: false }])(
    'what no probe has found after maxProbingMs is left to the relay: %o',
    (nat) => {
      const { machine } = start(nat)
      expect(pass(machine, defaultPunchLimits.maxProbingMs).at(-1)).toEqual({ type: 'lost' })
      expect(machine.nextDeadline()).toBe(Infinity)
    },
  )

  test('a port that is drawn twice is probed once', () => {
    const draws = [7, 7, 8]
    const randomBytes = (): Uint8Array => Uint8Array.of(0, draws.shift() ?? 0)
    const limits = { maxProbes: 2 }
    const machine = new PunchMachine({ ...plan, isPeerIndependent: false }, randomBytes, limits)
    machine.handle({ type: 'start' }, at(0))
    expect(pass(machine, 50).map((effect) => effect.type === 'connect' && effect.address)).toEqual([
      { host: peer.host, port: 1_031 },
      { host: peer.host, port: 1_032 },
    ])
  })
})

test('two random-mapping NATs are not punched: lost at once, so that a relay is used', () => {
  const { effects, machine } = start({ isIndependent: false, isPeerIndependent: false })
  expect(effects).toEqual([{ type: 'lost' }])
  expect(machine.nextDeadline()).toBe(Infinity)
})

describe('between two NATs that reset what they did not ask for', () => {
  test.each([
    [0.1, 300],
    [5, 100],
    [30, 0],
    [30, 100],
    [30, 300],
    [100, 300],
  ])(
    '%d ms apart and started %d ms apart, two sides meet soon, whatever they draw',
    (ms, skewMs) => {
      const random = seeded(1)
      const met = Array.from({ length: 200 }, () => meetMs(ms, skewMs, random)).sort(
        (a, b) => a - b,
      )
      expect(met.at(-1)).toBeLessThan(5_000)
      expect(met[100]).toBeLessThan(100 + 2 * ms)
    },
  )
})

/**
 * Milliseconds from when both have started until a SYN of one reaches the NAT of the other while that
 * one's own is under way; each way takes `delayMs`, and the reset that answers too early ones as well.
 */
function meetMs(delayMs: number, skewMs: number, random: () => number): number {
  const randomBytes = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => 256 * random())
  const sides = [0, skewMs].map((startMs) => ({
    machine: new PunchMachine(plan, randomBytes),
    startMs,
    /** The attempt that the NAT has a mapping for. */
    open: 0,
  }))
  const due: { atMs: number; happen: (nowMs: number) => boolean }[] = []
  const feed = (side: number, input: PunchInput, nowMs: number): void => {
    const [own, other] = [sides[side]!, sides[1 - side]!]
    for (const effect of own.machine.handle(input, at(nowMs))) {
      if (effect.type !== 'connect') continue
      const { attempt } = effect
      own.open = attempt
      const reset = (resetMs: number): boolean => {
        own.open = 0
        feed(side, { type: 'failed', attempt }, resetMs)
        return false
      }
      const arrive = (arrivedMs: number): boolean => {
        if (other.open > 0) return true
        due.push({ atMs: arrivedMs + delayMs, happen: reset })
        return false
      }
      due.push({ atMs: nowMs + delayMs, happen: arrive })
    }
    const nextMs = own.machine.nextDeadline()
    const wake = (wokenMs: number): boolean => {
      if (own.machine.nextDeadline() <= wokenMs) feed(side, { type: 'deadline' }, wokenMs)
      return false
    }
    due.push({ atMs: nextMs, happen: wake })
  }
  sides.forEach(({ startMs }, side) => {
    const begin = (nowMs: number): boolean => {
      feed(side, { type: 'start' }, nowMs)
      return false
    }
    due.push({ atMs: startMs, happen: begin })
  })
  for (;;) {
    due.sort((one, other) => one.atMs - other.atMs)
    const next = due.shift()
    if (next === undefined || next.atMs === Infinity) return Infinity
    if (next.happen(next.atMs)) return next.atMs - skewMs
  }
}

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
