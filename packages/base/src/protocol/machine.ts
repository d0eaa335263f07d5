/**
 * The contract of every protocol machine.
 *
 * A machine is a pure state holder: it is told what happened and when, and answers with what is to
 * be done. It never reads a clock, never starts a timer, never touches a socket and never calls
 * out, so the same code runs over real sockets and in the simulator.
 *
 * How to drive one:
 *   1. call `handle(input, now)` for everything that happens, one input at a time;
 *   2. carry out the returned effects in order (nothing has happened before `handle` returned);
 *   3. call `handle({ type: 'deadline' }, now)` once `now.monoMs >= nextDeadline()`; ask again after
 *      every call, because each one may move the deadline.
 *
 * Nothing that a peer sends makes `handle` throw. It throws only when our own code breaks this
 * contract.
 */

/** The two times of an input. */
export interface Now {
  /** Monotonic milliseconds from an arbitrary start: for deadlines. */
  readonly monoMs: number
  /** Seconds since 1970-01-01 UTC, whole or fractional: for everything that goes on the wire. */
  readonly utcSeconds: number
}

export interface Machine<
  Input extends { readonly type: string },
  Effect extends { readonly type: string },
> {
  /** Takes one input in; returns what the driver has to do, in order. */
  handle(input: Input, now: Now): readonly Effect[]
  /** The monotonic millisecond at which a `deadline` input is wanted; Infinity when there is none. */
  nextDeadline(): number
}

/** Secure random bytes in production, seeded ones in the simulator. Machines get it when they are made. */
export type RandomBytes = (count: number) => Uint8Array
