import { expect, test } from '@jest/globals'
import { TcpTransport } from '@p2p/base/tcp'
import { MeshNode } from '@p2p/mesh'
import { createMessage, encodeFrame, flags, networkId } from '@p2p/serializer'
import { describeWalk, walk } from '../src/commands/doctor.ts'

const options = { subnet: 'mesh', timeout: 400 }

/** The step that failed with its code; `ok` when none did. */
async function verdict(address: string, given: { readonly subnet?: string } = {}): Promise<string> {
  const result = await walk(address, { ...options, ...given })
  const last = result.steps.at(-1)
  if (!result.ok) expect(result.advice).toBeDefined()
  return result.ok ? 'ok' : `${last?.name}: ${last?.code}`
}

/** Somebody on TCP that answers every link with this frame, or not at all. */
async function withStranger(
  answer: Uint8Array | undefined,
  use: (address: string) => Promise<void>,
): Promise<void> {
  const listener = await new TcpTransport().listen('tcp://127.0.0.1:0', (link) => {
    link.attach({ onBytes: () => undefined, onDrain: () => undefined, onClose: () => undefined })
    if (answer !== undefined) link.send(answer)
  })
  try {
    await use(listener.address)
  } finally {
    await listener.close()
  }
}

async function withMesh(use: (address: string) => Promise<void>): Promise<void> {
  const node = await MeshNode.open({ listen: 'tcp://127.0.0.1:0' })
  try {
    await use(node.addresses[0] ?? '')
  } finally {
    await node.close()
  }
}

function handshake(version: string, offsetSeconds: number): Uint8Array {
  const network = networkId({ subnet: 'mesh', encryption: 'Plaintext', version })
  const payload = [flags.handshake, 'someone', network, ['127.0.0.1', 4_444], []]
  const time = Math.floor(Date.now() / 1_000) + offsetSeconds
  return encodeFrame(createMessage({ type: flags.whisper, sender: 'someone', time, payload }))
}

test('doctor walks all steps to a node that suits', async () => {
  await withMesh(async (address) => {
    const result = await walk(address, options)
    expect(result.steps.map(({ name }) => name)).toEqual([
      'name',
      'tcp',
      'handshake',
      'network',
      'compression',
      'clock',
    ])
    expect(describeWalk(result)).toContain('is a peer you can use')
  })
})

test('doctor names a closed port', async () => {
  let closed = ''
  await withMesh(async (address) => {
    closed = address
  })
  expect(await verdict(closed)).toBe('tcp: P2P_CONNECTION_REFUSED')
})

test('doctor names a silent port', async () => {
  await withStranger(undefined, async (address) => {
    expect(await verdict(address)).toBe('handshake: P2P_HANDSHAKE_TIMEOUT')
  })
})

test('doctor names a wrong subnet', async () => {
  await withMesh(async (address) => {
    expect(await verdict(address, { subnet: 'other' })).toBe('network: P2P_WRONG_NETWORK')
  })
})

test('doctor names TLS and WebSocket on a plain port', async () => {
  await withMesh(async (address) => {
    expect(await verdict(address.replace('tcp:', 'tls:'))).toBe('tls: P2P_NOT_TLS')
    expect(await verdict(address.replace('tcp:', 'ws:'))).toBe('ws: P2P_NOT_WEBSOCKET')
  })
})

test('doctor names an older protocol version', async () => {
  await withStranger(handshake('0.6', 0), async (address) => {
    expect(await verdict(address)).toBe('network: P2P_OLDER_VERSION')
  })
})

test('doctor names a clock that is off by five minutes', async () => {
  for (const offset of [-300, 300])
    await withStranger(handshake('0.7', offset), async (address) => {
      expect(await verdict(address)).toBe('clock: P2P_CLOCK_SKEW')
    })
})

test('doctor names an address that is none', async () => {
  expect(await verdict('nonsense')).toBe('address: P2P_BAD_ADDRESS')
})

test('the advice is for what was dialled, and a silent port is no firewall', async () => {
  await withMesh(async (address) => {
    const { advice } = await walk(address.replace('tcp:', 'wss:'), options)
    expect(advice).toContain('ws://')
  })
  await withStranger(undefined, async (address) => {
    const silent = await walk(address.replace('tcp:', 'tls:'), options)
    expect(silent.steps.at(-1)).toMatchObject({ name: 'tls', code: 'P2P_DIAL_TIMEOUT' })
    expect(silent.advice).toContain('says nothing')
  })
})
