import { describe, expect, test } from '@jest/globals'
import { testTransport } from '../../src/testing/index.ts'
import { MemoryNetwork, MemoryTransport } from '../../src/transports/memory.ts'
import { TcpTransport } from '../../src/transports/tcp.ts'

/** A port that was free a moment ago. */
async function deadTcpAddress(): Promise<string> {
  const listener = await new TcpTransport().listen('tcp://127.0.0.1:0', () => undefined)
  await listener.close()
  return listener.address
}

testTransport(
  { describe, test, expect },
  {
    name: 'tcp',
    create: () => new TcpTransport(),
    anyAddress: () => 'tcp://127.0.0.1:0',
    deadAddress: deadTcpAddress,
  },
)

const network = new MemoryNetwork()
let names = 0
testTransport(
  { describe, test, expect },
  {
    name: 'memory',
    create: () => new MemoryTransport(network),
    anyAddress: () => `memory://node-${(names += 1)}`,
    deadAddress: () => Promise.resolve('memory://nobody'),
  },
)

test('a listener on all interfaces names an address that others can dial', async () => {
  const listener = await new TcpTransport().listen('tcp://0.0.0.0:0', () => undefined)
  expect(listener.address).toMatch(/^tcp:\/\/0\.0\.0\.0:[1-9]/)
  expect(listener.advertised).toMatch(/^tcp:\/\/(?!0\.0\.0\.0)\d+\.\d+\.\d+\.\d+:[1-9]/)
  await listener.close()
})
