import { expect, test } from '@jest/globals'
import { examine } from '../src/doctor.ts'
import { TcpTransport } from '../src/transports/tcp.ts'
import { PlainNode } from './plain-node.ts'

const codes = async (
  address: string,
  subnet = 'mesh',
): Promise<readonly (string | undefined)[]> => {
  const { steps } = await examine(address, { subnet, timeoutMs: 300 })
  return steps.map(({ name, code }) => code ?? name)
}

test('examine names the first step that fails, and all steps when none does', async () => {
  const node = await PlainNode.open({ listen: 'tcp://127.0.0.1:0' })
  const silent = await new TcpTransport().listen('tcp://127.0.0.1:0', (link) => {
    link.attach({ onBytes: () => undefined, onDrain: () => undefined, onClose: () => undefined })
  })
  expect(await codes(node.address)).toEqual([
    'address',
    'link',
    'handshake',
    'network',
    'compression',
  ])
  expect(await codes(node.address, 'other')).toEqual([
    'address',
    'link',
    'handshake',
    'P2P_WRONG_NETWORK',
  ])
  expect(await codes(silent.address)).toEqual(['address', 'link', 'P2P_HANDSHAKE_TIMEOUT'])
  await silent.close()
  expect(await codes(silent.address)).toEqual(['address', 'P2P_CONNECTION_REFUSED'])
  expect(await codes('nonsense')).toEqual(['P2P_BAD_ADDRESS'])
  await node.shell.close()
})
