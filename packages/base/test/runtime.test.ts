import { createServer, type Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { resolveLimits } from '../src/protocol/limits.ts'
import type { DialId, LinkEffect, LinkInput } from '../src/protocol/link.ts'
import type { Machine } from '../src/protocol/machine.ts'
import { P2pError } from '../src/protocol/errors.ts'
import { Runtime } from '../src/runtime.ts'
import type { Link, Transport } from '../src/transport.ts'
import { TcpTransport } from '../src/transports/tcp.ts'

type Command = { readonly type: 'act'; readonly effects: readonly (LinkEffect | Emitted)[] }
interface Emitted {
  readonly type: 'told'
}

/** Does what it is told, and counts how often it is asked for its next deadline. */
class ObedientMachine implements Machine<LinkInput | Command, LinkEffect | Emitted> {
  askedCount = 0

  handle(input: LinkInput | Command): readonly (LinkEffect | Emitted)[] {
    return input.type === 'act' ? input.effects : []
  }

  nextDeadline(): number {
    this.askedCount += 1
    return Infinity
  }
}

/** Leads to a link that takes nothing and, as in browsers, does not end at once. */
class StuckTransport implements Transport {
  readonly schemes = ['tcp'] as const
  readonly dialled: string[] = []
  readonly destroyed: Promise<void>
  #onDestroy: () => void = () => undefined
  end: () => void = () => undefined

  constructor() {
    this.destroyed = new Promise((resolve) => {
      this.#onDestroy = resolve
    })
  }

  async dial(address: string): Promise<Link> {
    this.dialled.push(address)
    await Promise.resolve()
    return {
      transport: 'tcp',
      remote: address,
      queuedBytes: 0,
      attach: (events) => {
        this.end = () => {
          events.onClose(undefined)
        }
      },
      send: () => false,
      pause: () => undefined,
      resume: () => undefined,
      close: () => undefined,
      destroy: () => {
        this.#onDestroy()
      },
    }
  }
}

const dial = (id: DialId): LinkEffect => ({
  type: 'dial',
  dial: id,
  address: 'tcp://127.0.0.1:1',
  timeoutMs: 1_000,
})
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

function start(onEffect: () => void = () => undefined): {
  readonly runtime: Runtime<Command, Emitted>
  readonly machine: ObedientMachine
  readonly transport: StuckTransport
  act(...effects: readonly (LinkEffect | Emitted)[]): void
} {
  const machine = new ObedientMachine()
  const transport = new StuckTransport()
  const runtime = new Runtime<Command, Emitted>({
    machine,
    transports: [transport],
    limits: resolveLimits({ stalledLinkTimeoutMs: 20 }),
    onEffect,
    onFailure: (error) => {
      throw error
    },
  })
  const act = (...effects: readonly (LinkEffect | Emitted)[]): void => {
    runtime.command({ type: 'act', effects })
  }
  return { runtime, machine, transport, act }
}

test('a stalled link is cut once, and not looked after any more until it has ended', async () => {
  const { runtime, machine, transport, act } = start()
  act(dial(1))
  await turn()
  act({ type: 'send', link: 1, bytes: new Uint8Array(10), priority: 'own' })
  await transport.destroyed
  machine.askedCount = 0
  for (let count = 0; count < 20; count += 1) await turn()
  expect(machine.askedCount).toBeLessThan(10)
  transport.end()
  await runtime.close()
  expect(runtime.handleCount).toBe(0)
})

/** Notes what it is told; its deadline comes while the process is busy. */
class BusyMachine extends ObedientMachine {
  readonly heard: string[] = []
  dueMs = Infinity

  override handle(input: LinkInput | Command): readonly (LinkEffect | Emitted)[] {
    this.heard.push(input.type)
    if (input.type === 'deadline') this.dueMs = Infinity
    return super.handle(input)
  }

  override nextDeadline(): number {
    return this.dueMs
  }
}

test('what came in while the process was busy is heard before a deadline that passed meanwhile', async () => {
  const machine = new BusyMachine()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const runtime = new Runtime<Command, Emitted>({
    machine,
    transports: [new TcpTransport()],
    limits: resolveLimits(),
    onEffect: () => undefined,
    onFailure: (error) => {
      throw error
    },
  })
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const address = `tcp://127.0.0.1:${port}`
  runtime.command({
    type: 'act',
    effects: [{ type: 'dial', dial: 1, address, timeoutMs: 5_000 }],
  })
  const socket = await accepted
  while (!machine.heard.includes('link-open')) await turn()
  machine.dueMs = performance.now() + 20
  runtime.command({ type: 'act', effects: [] })
  await turn()
  socket.write('a sign of life')
  while (performance.now() < machine.dueMs + 20);
  while (!machine.heard.includes('deadline')) await turn()
  expect(machine.heard.slice(-2)).toEqual(['link-bytes', 'deadline'])
  socket.destroy()
  await runtime.close()
  server.close()
})

test('nothing is dialled after the node was closed by one of its own handlers', async () => {
  let closing: Promise<void> | undefined
  const { runtime, transport, act } = start(() => {
    closing = runtime.close()
  })
  act({ type: 'told' }, dial(1), {
    type: 'close',
    link: 7,
    reason: new P2pError('P2P_CLOSED', 'there is no such link'),
  })
  await closing
  expect(transport.dialled).toEqual([])
  expect(runtime.handleCount).toBe(0)
})
