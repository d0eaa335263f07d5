/**
 * The examples of p2py's own README, in TypeScript, each against a live Python node. What stands in
 * a check is what a reader of that README writes with @p2p/p2py-compat.
 */
import { P2pyNode } from '@p2p/p2py-compat'
import type { OutgoingMessage, Received } from '@p2p/p2py-compat'
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { withLab } from '../lab.ts'
import type { Programs } from '../lab.ts'
import type { NodeEvent, NodeProcess } from '../node-process.ts'
import { integer, text } from '../tagged.ts'

const waitMs = 15_000

/** One example: our node under its name in the README, and a Python node, which is in no network yet. */
type Example = (node: P2pyNode, python: NodeProcess) => Promise<string>

export async function runP2pyReadme(programs: Programs, side: Side, checks: Checks): Promise<void> {
  const examples = side.dialler === 'a' ? { ...asJoiner, ...reference } : asFirst
  for (const [name, example] of Object.entries(examples)) {
    await withLab(programs, async (lab) => {
      const python = await lab.start('p2py', { kind: 'p2py' })
      const node = await P2pyNode.open({ port: 0 })
      try {
        await checks.check(side, `README: ${name}`, () => example(node, python))
      } finally {
        await node.close()
      }
    })
  }
}

/** Node B of the two examples at the top, with a Python node A. */
const asJoiner: Readonly<Record<string, Example>> = {
  'joining the network and sending text message, node B': async (node, python) => {
    await node.joinNetwork([addressOf(python)])
    expectThat(node.joined && node.uuid === 1, `joined as ${node.uuid}`)
    await node.sendToUuid(0, { type: 'TEXT', data: 'Hi!' })
    await heardText(python, 'Hi!')
    return ''
  },
  'custom request type, node B': async (node, python) => {
    await python.request('p2py_handle', { type: 'ADD', reply: 'add_one' })
    await node.joinNetwork([addressOf(python)])
    const response = await node.request({ uuid: 0 }, { type: 'ADD', data: 17 })
    const result = `17 + 1 = ${String(response.data)}`
    expectThat(result === '17 + 1 = 18', result)
    return result
  },
}

/** Node A of the same examples, with a Python node B. */
const asFirst: Readonly<Record<string, Example>> = {
  'joining the network and sending text message, node A': async (node, python) => {
    const heard = nextMessage(node)
    expectThat((await joinFrom(python, node)) === 1, 'node B is not UUID 1')
    // The README's own type, in small letters. A Python node would be deaf on this link afterwards.
    await python.request('p2py_send', { uuid: 0, message: { type: 'text', data: 'Hi!' } })
    const { type, data, from } = await heard
    expectThat(type === 'text' && data === 'Hi!' && from.uuid === 1, `${type} ${String(data)}`)
    return ''
  },
  'custom request type, node A': async (node, python) => {
    node.addHandler('ADD', (_node, _connection, request) => {
      const n = Number(request.contents.data)
      return request.respond({ type: 'ADD RESP', data: n + 1 })
    })
    await joinFrom(python, node)
    const message = { type: 'ADD', data: integer(17) }
    const { response } = await python.request('p2py_request', { uuid: 0, message })
    expectAnswer(response, ['type', text('ADD RESP')], ['data', integer(18)])
    return '17 + 1 = 18'
  },
  'handler with node, connection and request': async (node, python) => {
    const called = new Promise<string>((resolve) => {
      node.addHandler('some type', (self, connection, request) => {
        resolve(`${self === node} ${connection.uuid} ${String(request.data)}`)
      })
    })
    await joinFrom(python, node)
    await python.request('p2py_send', { uuid: 0, message: { type: 'some type', data: 'x' } })
    const seen = await within(called, 'call of the handler')
    expectThat(seen === 'true 1 x', seen)
    return ''
  },
}

/** The shorter examples further down, under the names of the README's headings. */
const reference: Readonly<Record<string, Example>> = {
  connect_to_network: async (node, python) => {
    await node.connectToNetwork([addressOf(python)])
    expectThat(node.joined, 'not joined')
    return ''
  },
  send_to_UUID: async (node, python) => {
    await node.connectToNetwork([addressOf(python)])
    await node.sendToUuid(0, { type: 'TEXT', data: 'Hello!' })
    await heardText(python, 'Hello!')
    return ''
  },
  send_to_address: async (node, python) => {
    await node.sendToAddress(addressOf(python), { type: 'TEXT', data: 'Hello!' })
    await heardText(python, 'Hello!')
    return ''
  },
  send_to_connection: async (node, python) => {
    const heard = nextMessage(node)
    await joinFrom(python, node)
    await python.request('p2py_send', { uuid: 0, message: { type: 'TEXT', data: 'anybody?' } })
    const { from } = await heard
    await node.sendToConnection(from, { type: 'TEXT', data: 'Hello!' })
    await heardText(python, 'Hello!')
    return ''
  },
  'request by UUID, address and connection': async (node, python) => {
    await python.request('p2py_handle', { type: 'ADD', reply: 'add_one' })
    const heard = nextMessage(node)
    await joinFrom(python, node)
    await python.request('p2py_send', { uuid: 0, message: { type: 'TEXT', data: 'anybody?' } })
    const { from } = await heard
    for (const target of [{ uuid: 1 }, { address: addressOf(python) }, { connection: from }]) {
      const response = await node.request(target, { type: 'ADD', data: 17 })
      expectThat(response.data === 18, `17 + 1 = ${String(response.data)}`)
    }
    return '17 + 1 = 18'
  },
  send_to_peer_book: async (node, python) => {
    await node.connectToNetwork([addressOf(python)])
    await node.sendToPeerBook({ type: 'TEXT', data: 'nobody hears this' }, { exclude: [0] })
    await node.sendToPeerBook({ type: 'TEXT', data: 'Hello peer book!' })
    await heardText(python, 'Hello peer book!')
    const texts = python.events.filter(({ ev }) => ev === 'text')
    expectThat(texts.length === 1, `${texts.length} texts`)
    return ''
  },
  close_all_connections: async (node, python) => {
    await node.connectToNetwork([addressOf(python)])
    await node.closeAllConnections()
    expectThat(!node.joined && node.uuid === null, 'still joined')
    await python.waitFor('peer_leave 1', ({ ev, id }) => ev === 'peer_leave' && id === '1')
    return ''
  },
  'UUID and network_size': async (node, python) => {
    const values = (): string => `${node.uuid} of ${node.networkSize}`
    expectThat(values() === 'null of 1', `${values()} before it joined`)
    await node.connectToNetwork([addressOf(python)])
    expectThat(values() === '1 of 2', values())
    const { report } = await python.request('status')
    expectThat(JSON.stringify(report) === '{"uuid":0,"network_size":2}', JSON.stringify(report))
    return ''
  },
  'Request.respond': async (node, python) => {
    const response = { type: 'SOME RESP', data: 'some data' }
    node.handle('SOME', (request) => request.respond(response))
    await joinFrom(python, node)
    const message: OutgoingMessage = { type: 'SOME', data: 'question' }
    const answer = await python.request('p2py_request', { uuid: 0, message })
    expectAnswer(answer['response'], ['type', text('SOME RESP')], ['data', text('some data')])
    return ''
  },
  'Request.bounce': async (node, python) => {
    const knowing = await P2pyNode.open({ port: 0 })
    try {
      node.handle('ADD', (request) => request.bounce({ uuid: 2 }))
      knowing.handle('ADD', ({ data }) => ({ type: 'ADD RESP', data: Number(data) + 1 }))
      await joinFrom(python, node)
      await knowing.join([node.address])
      const message = { type: 'ADD', data: integer(17) }
      const { response } = await python.request('p2py_request', { uuid: 0, message })
      expectAnswer(response, ['data', integer(18)])
      return 'answered by UUID 2'
    } finally {
      await knowing.close()
    }
  },
}

function addressOf(node: NodeProcess): readonly [string, number] {
  const { hostname, port } = new URL(node.address.replace('tcp:', 'http:'))
  return [hostname, Number(port)]
}

async function joinFrom(python: NodeProcess, node: P2pyNode): Promise<unknown> {
  const { uuid } = await python.request('p2py_join', { address: node.address })
  return uuid
}

async function heardText(node: NodeProcess, data: string): Promise<void> {
  const wanted = JSON.stringify(text(data))
  const matches = (event: NodeEvent): boolean =>
    event.ev === 'text' && JSON.stringify(event['data']) === wanted
  await node.waitFor(`text "${data}"`, matches)
}

function nextMessage(node: P2pyNode): Promise<Received> {
  const heard = new Promise<Received>((resolve) => node.on('message', resolve))
  return within(heard, 'message')
}

/** Fields that the answer, a tagged map, must have. */
function expectAnswer(response: unknown, ...fields: readonly (readonly [string, unknown])[]): void {
  const got = JSON.stringify(response)
  for (const [name, value] of fields)
    expectThat(got.includes(JSON.stringify([text(name), value])), `answer ${got.slice(0, 200)}`)
}

async function within<T>(wanted: Promise<T>, what: string): Promise<T> {
  const late = new AbortController()
  const limit = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} in ${waitMs} ms`)), waitMs)
    late.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  try {
    return await Promise.race([wanted, limit])
  } finally {
    late.abort()
  }
}
