/**
 * What every transport has to do, as a test suite: the contract of transport.ts that can be run.
 *
 * It takes the test functions, so it works in jest, vitest and node:test with an `expect`:
 *
 *   import { describe, expect, test } from '@jest/globals'
 *   testTransport({ describe, test, expect }, { name: 'tcp', create: () => new TcpTransport(), anyAddress: () => 'tcp://127.0.0.1:0' })
 */
import { isP2pError } from '../protocol/errors.ts'
import type { P2pError } from '../protocol/errors.ts'
import type { Link, Listener, Transport } from '../transport.ts'

/** The part of a test framework that the suites need. */
export interface TestFramework {
  describe(name: string, body: () => void): unknown
  test(name: string, body: () => Promise<void>): unknown
  expect(value: unknown): {
    toBe(expected: unknown): unknown
    toEqual(expected: unknown): unknown
  }
}

export interface TransportSubject {
  readonly name: string
  create(): Transport
  /** An address to listen on, with a free port or name; a new one at each call. */
  anyAddress(): string
  /** An address that nobody listens on. */
  deadAddress(): Promise<string>
}

const timeoutMs = 5_000
/** Longer than the other end of an orderly closed link takes to confirm its end. */
const readerPauseMs = 700

/** Records what a link says and lets the test wait for it. */
class Recorder {
  readonly link: Link
  readonly received: number[] = []
  error: P2pError | undefined
  closeCount = 0
  drainCount = 0
  #changed: (() => void)[] = []

  constructor(link: Link) {
    this.link = link
    link.attach({
      onBytes: (bytes) => {
        for (const byte of bytes) this.received.push(byte)
        this.#wake()
      },
      onDrain: () => {
        this.drainCount += 1
        this.#wake()
      },
      onClose: (error) => {
        this.closeCount += 1
        this.error = error
        this.#wake()
      },
    })
  }

  async until(isReached: (recorder: this) => boolean): Promise<void> {
    while (!isReached(this)) {
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve)
      })
    }
  }

  #wake(): void {
    const waiting = this.#changed
    this.#changed = []
    for (const resolve of waiting) resolve()
  }
}

/** A listener, a dialled link and the accepted one, cleaned up after the body. */
async function withPair(
  subject: TransportSubject,
  body: (pair: { near: Recorder; far: Recorder; listener: Listener }) => Promise<void>,
): Promise<void> {
  const transport = subject.create()
  if (transport.listen === undefined) throw new TypeError(`${subject.name} cannot listen`)
  let onAccepted: (link: Link) => void = () => undefined
  const accepted = new Promise<Link>((resolve) => {
    onAccepted = resolve
  })
  const listener = await transport.listen(subject.anyAddress(), (link) => {
    onAccepted(link)
  })
  const near = new Recorder(await transport.dial(listener.address, { timeoutMs }))
  const far = new Recorder(await accepted)
  try {
    await body({ near, far, listener })
  } finally {
    near.link.destroy()
    far.link.destroy()
    await listener.close()
    await near.until((recorder) => recorder.closeCount > 0)
    await far.until((recorder) => recorder.closeCount > 0)
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no error'
  } catch (error) {
    return isP2pError(error) ? error.code : String(error)
  }
}

/** Runs the contract of `Transport` and `Link` against one implementation. */
export function testTransport(framework: TestFramework, subject: TransportSubject): void {
  const { describe } = framework
  describe(`transport ${subject.name}`, () => {
    testBytes(framework, subject)
    testEnds(framework, subject)
    testDialling(framework, subject)
  })
}

function testBytes({ test, expect }: TestFramework, subject: TransportSubject): void {
  test('carries bytes both ways, in order', async () => {
    await withPair(subject, async ({ near, far }) => {
      near.link.send(Uint8Array.of(1, 2, 3))
      near.link.send(Uint8Array.of(4))
      far.link.send(Uint8Array.of(9))
      await far.until((recorder) => recorder.received.length === 4)
      await near.until((recorder) => recorder.received.length === 1)
      expect(far.received).toEqual([1, 2, 3, 4])
      expect(near.received).toEqual([9])
    })
  })

  test('hands over plain byte arrays, and nothing sent after that changes them', async () => {
    await withPair(subject, async ({ near, far }) => {
      const bytes = Uint8Array.of(5, 6, 7)
      near.link.send(bytes)
      await far.until((recorder) => recorder.received.length === 3)
      near.link.send(Uint8Array.of(8))
      await far.until((recorder) => recorder.received.length === 4)
      expect(far.received).toEqual([5, 6, 7, 8])
    })
  })

  test('keeps what arrives before the owner attaches', async () => {
    const transport = subject.create()
    let accepted: Link | undefined
    let onAccepted: () => void = () => undefined
    const arrival = new Promise<void>((resolve) => {
      onAccepted = resolve
    })
    const listener = await transport.listen?.(subject.anyAddress(), (link) => {
      accepted = link
      onAccepted()
    })
    const near = new Recorder(await transport.dial(listener?.address ?? '', { timeoutMs }))
    near.link.send(Uint8Array.of(1, 2))
    await arrival
    if (accepted === undefined) throw new TypeError('nothing was accepted')
    const far = new Recorder(accepted)
    await far.until((recorder) => recorder.received.length === 2)
    expect(far.received).toEqual([1, 2])
    near.link.destroy()
    far.link.destroy()
    await listener?.close()
    await far.until((recorder) => recorder.closeCount > 0)
  })

  test('says when to wait, holds bytes back while paused, and says when to go on', async () => {
    await withPair(subject, async ({ near, far }) => {
      far.link.pause()
      const chunk = new Uint8Array(262_144).fill(1)
      let sentBytes = 0
      let goesOn = true
      // Socket buffers of the system take some of it before the link says so.
      while (goesOn && sentBytes < 64 * 1_048_576) {
        goesOn = near.link.send(chunk)
        sentBytes += chunk.length
      }
      expect(goesOn).toBe(false)
      expect(near.link.queuedBytes > 0).toBe(true)
      far.link.resume()
      await near.until((recorder) => recorder.drainCount > 0)
      await far.until((recorder) => recorder.received.length === sentBytes)
      expect(near.link.queuedBytes).toBe(0)
    })
  })
}

function testEnds({ test, expect }: TestFramework, subject: TransportSubject): void {
  test('delivers what was sent before an orderly close, then closes both ends once', async () => {
    await withPair(subject, async ({ near, far }) => {
      near.link.send(new Uint8Array(100_000).fill(7))
      near.link.close()
      await far.until((recorder) => recorder.closeCount > 0)
      await near.until((recorder) => recorder.closeCount > 0)
      expect(far.received.length).toBe(100_000)
      expect(far.error).toBe(undefined)
      near.link.close()
      near.link.destroy()
      far.link.destroy()
      expect([near.closeCount, far.closeCount]).toEqual([1, 1])
    })
  })

  test('delivers what was sent before an orderly close to a reader that makes a pause', async () => {
    await withPair(subject, async ({ near, far }) => {
      far.link.pause()
      const chunk = new Uint8Array(262_144)
      let sentBytes = 0
      // What is sent after the first word to wait is more than the buffers of the system take.
      for (let extraCount = 0; extraCount < 16 && sentBytes < 64 * 1_048_576;) {
        if (!near.link.send(chunk)) extraCount += 1
        sentBytes += chunk.length
      }
      near.link.close()
      await new Promise<void>((resolve) => setTimeout(resolve, readerPauseMs))
      far.link.resume()
      await far.until((recorder) => recorder.closeCount > 0)
      expect(far.received.length).toBe(sentBytes)
      expect(far.error).toBe(undefined)
    })
  })

  test('ends both ends when one is destroyed', async () => {
    await withPair(subject, async ({ near, far }) => {
      far.link.destroy()
      await near.until((recorder) => recorder.closeCount > 0)
      await far.until((recorder) => recorder.closeCount > 0)
      expect(near.link.send(Uint8Array.of(1))).toBe(true)
    })
  })

  test('the listener can be closed while links live, and the address is free again', async () => {
    const transport = subject.create()
    const listener = await transport.listen?.(subject.anyAddress(), () => undefined)
    const address = listener?.address ?? ''
    await listener?.close()
    const again = await transport.listen?.(address, () => undefined)
    expect(again?.address).toBe(address)
    await again?.close()
  })
}

function testDialling({ test, expect }: TestFramework, subject: TransportSubject): void {
  test('names the scheme, and the address that was really bound', async () => {
    await withPair(subject, async ({ near, far, listener }) => {
      const scheme = listener.address.split('://')[0]
      expect(subject.create().schemes.some((name) => name === scheme)).toBe(true)
      expect([near.link.transport, far.link.transport]).toEqual([scheme, scheme])
      expect(near.link.remote).toBe(listener.address)
      expect(listener.address.endsWith(':0')).toBe(false)
      await Promise.resolve()
    })
  })

  test('a dial to nobody fails with its code', async () => {
    const transport = subject.create()
    const address = await subject.deadAddress()
    expect(await codeOf(transport.dial(address, { timeoutMs }))).toBe('P2P_CONNECTION_REFUSED')
  })

  test('a dial that is cancelled before it began fails with its code', async () => {
    const transport = subject.create()
    const address = await subject.deadAddress()
    const signal = AbortSignal.abort()
    expect(await codeOf(transport.dial(address, { timeoutMs, signal }))).toBe('P2P_CANCELLED')
  })

  test('an address of another kind is refused', async () => {
    const transport = subject.create()
    expect(await codeOf(transport.dial('nonsense', { timeoutMs }))).toBe('P2P_BAD_ADDRESS')
  })

  test('the same address cannot be listened on twice', async () => {
    await withPair(subject, async ({ listener }) => {
      const transport = subject.create()
      const second = transport.listen?.(listener.address, () => undefined)
      expect(await codeOf(Promise.resolve(second))).toBe('P2P_ADDRESS_IN_USE')
    })
  })
}
