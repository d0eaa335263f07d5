import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame, flags, networkId } from '@p2p/serializer'
import { encodeLegacyFrame } from '@p2p/serializer/legacy'
import { examine } from '../src/doctor.ts'
import type { Listener } from '../src/transport.ts'
import { TcpTransport } from '../src/transports/tcp.ts'
import { PlainNode } from './plain-node.ts'

const fewMs = 300

const codes = async (
  address: string,
  options: { readonly subnet?: string; readonly timeoutMs?: number } = {},
): Promise<readonly string[]> => {
  const { steps } = await examine(address, options)
  return steps.map(({ name, code }) => code ?? name)
}

/** Somebody on TCP that answers every link with these bytes, and never anything else. */
function answering(...answers: readonly Uint8Array[]): Promise<Listener> {
  return new TcpTransport().listen('tcp://127.0.0.1:0', (link) => {
    link.attach({ onBytes: () => undefined, onDrain: () => undefined, onClose: () => undefined })
    for (const bytes of answers) link.send(bytes)
  })
}

function handshakeFrame(version: string, time: number): Uint8Array {
  const network = networkId({ subnet: 'mesh', encryption: 'Plaintext', version })
  const payload = [flags.handshake, 'someone', network, ['127.0.0.1', 4_444], []]
  return encodeFrame(createMessage({ type: flags.whisper, sender: 'someone', time, payload }))
}

const nowSeconds = (): number => Math.floor(Date.now() / 1_000)

async function withListener<Result>(
  opening: Promise<Listener>,
  use: (address: string) => Promise<Result>,
): Promise<Result> {
  const listener = await opening
  try {
    return await use(listener.address)
  } finally {
    await listener.close()
  }
}

async function withNode<Result>(
  listen: string,
  use: (address: string) => Promise<Result>,
): Promise<Result> {
  const node = await PlainNode.open({ listen })
  try {
    return await use(node.address)
  } finally {
    await node.shell.close()
  }
}

const dialled = (address: string, scheme: string): string => address.replace(/^\w+/, scheme)

test('a node that suits passes every step', async () => {
  const steps = ['address', 'link', 'handshake', 'network', 'compression', 'clock']
  await withNode('tcp://127.0.0.1:0', async (address) => {
    expect(await codes(address)).toEqual(steps)
  })
})

test('a text that is no address is told first', async () => {
  expect(await codes('nonsense')).toEqual(['P2P_BAD_ADDRESS'])
})

test('a closed port is refused', async () => {
  const address = await withListener(answering(), async (closed) => closed)
  expect(await codes(address)).toEqual(['address', 'P2P_CONNECTION_REFUSED'])
})

test('a silent port sends no handshake', async () => {
  await withListener(answering(), async (address) => {
    const found = await codes(address, { timeoutMs: fewMs })
    expect(found).toEqual(['address', 'link', 'P2P_HANDSHAKE_TIMEOUT'])
  })
})

test('another subnet is another network', async () => {
  await withNode('tcp://127.0.0.1:0', async (address) => {
    const found = await codes(address, { subnet: 'other' })
    expect(found).toEqual(['address', 'link', 'handshake', 'P2P_WRONG_NETWORK'])
  })
})

test('a plain port does not speak TLS, nor WebSocket', async () => {
  await withNode('tcp://127.0.0.1:0', async (address) => {
    expect(await codes(dialled(address, 'tls'))).toEqual(['address', 'P2P_NOT_TLS'])
    expect(await codes(dialled(address, 'ws'))).toEqual(['address', 'P2P_NOT_WEBSOCKET'])
  })
})

test('a port that speaks TLS or WebSocket is recognised when it is dialled plainly', async () => {
  await withNode('tls://127.0.0.1:0', async (address) => {
    expect(await codes(dialled(address, 'tcp'))).toEqual(['address', 'link', 'P2P_TLS_THERE'])
  })
  await withNode('ws://127.0.0.1:0', async (address) => {
    expect(await codes(dialled(address, 'tcp'))).toEqual(['address', 'link', 'P2P_WEBSOCKET_THERE'])
  })
})

test('version 0.6 is known by its network id', async () => {
  await withListener(answering(handshakeFrame('0.6', nowSeconds())), async (address) => {
    const found = await codes(address)
    expect(found).toEqual(['address', 'link', 'handshake', 'P2P_OLDER_VERSION'])
  })
})

test.each(['0.3', '0.4', '0.5'] as const)('version %s is known by its frames', async (version) => {
  const [type, sub] = version === '0.3' ? ['whisper', 'handshake'] : ['\x02', '\x05']
  const payload = [sub ?? '', 'someone', 'network', '["127.0.0.1", 4444]', '[]']
  const frame = encodeLegacyFrame({
    version,
    type: type ?? '',
    sender: 'someone',
    time: nowSeconds(),
    payload,
  })
  await withListener(answering(frame), async (address) => {
    const { steps } = await examine(address, { timeoutMs: fewMs })
    expect(steps.at(-1)).toMatchObject({ name: 'handshake', code: 'P2P_OLDER_VERSION' })
  })
})

test.each([-300, 300])('a clock that is off by %i s is told', async (offset) => {
  const frame = handshakeFrame('0.7', nowSeconds() + offset)
  await withListener(answering(frame), async (address) => {
    const { ok, steps } = await examine(address)
    expect(ok).toBe(false)
    expect(steps.at(-1)).toMatchObject({ name: 'clock', code: 'P2P_CLOCK_SKEW' })
    expect(steps.at(-1)?.detail).toContain(offset < 0 ? 'behind' : 'ahead')
  })
})

test('somebody who says something else entirely is no p2p node', async () => {
  const noise = new Uint8Array(2_000).fill(0x7f)
  await withListener(answering(noise), async (address) => {
    expect((await codes(address, { timeoutMs: fewMs })).at(-1)).not.toBe('handshake')
  })
})

test('a time-out is one that timers take: no limit is a long one, and nonsense is refused', async () => {
  await withNode('tcp://127.0.0.1:0', async (address) => {
    expect((await examine(address, { timeoutMs: Infinity })).ok).toBe(true)
    for (const timeoutMs of [0, -1, Number.NaN, '1' as never]) {
      await expect(examine(address, { timeoutMs })).rejects.toThrow(RangeError)
    }
  })
})
