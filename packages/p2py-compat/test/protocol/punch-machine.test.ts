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
  roundTripMs: 60,
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

  test('after a failure the next try comes within two round trips, from the same port', () => {
    const { machine } = start()
    expect(machine.handle({ type: 'failed', attempt: 1 }, at(100))).toEqual([])
    expect(machine.nextDeadline()).toBe(220) // the largest draw
    expect(pass(machine, 220)).toEqual([{ ...connect, attempt: 2 }])
  })

  test('on a very near peer the wait is still drawn from 20 ms', () => {
    const { machine } = start({ roundTripMs: 0 })
    machine.handle({ type: 'failed', attempt: 1 }, at(100))
    expect(machine.nextDeadline()).toBe(120)
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

  test('the other side waits 300 ms, then probes in small groups, no port twice, maxProbes in all', () => {
    const { machine, effects } = start({ isPeerIndependent: false })
    expect(effects).toEqual([])
    expect(pass(machine, 299)).toEqual([])
    expect(pass(machine, 300)).toHaveLength(32)
    const ports = pass(machine, defaultPunchLimits.maxDurationMs - 1).flatMap((effect) =>
      effect.type === 'connect' ? [effect.address.port] : [],
    )
    expect(ports).toHaveLength(defaultPunchLimits.maxProbes - 32)
    expect(new Set(ports).size).toBe(ports.length)
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1_024)
  })

  test('a port that is drawn twice is probed once', () => {
    const draws = [7, 7, 8]
    const randomBytes = (): Uint8Array => Uint8Array.of(0, draws.shift() ?? 0)
    const limits = { maxProbes: 2 }
    const machine = new PunchMachine({ ...plan, isPeerIndependent: false }, randomBytes, limits)
    machine.handle({ type: 'start' }, at(0))
    expect(pass(machine, 300).map((effect) => effect.type === 'connect' && effect.address)).toEqual(
      [
        { host: peer.host, port: 1_031 },
        { host: peer.host, port: 1_032 },
      ],
    )
  })
})

test('two random-mapping NATs are not punched: lost at once, so that a relay is used', () => {
  const { effects, machine } = start({ isIndependent: false, isPeerIndependent: false })
  expect(effects).toEqual([{ type: 'lost' }])
  expect(machine.nextDeadline()).toBe(Infinity)
})
