import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { LiveNetwork } from '../src/live/live-network.ts'
import { PageServer } from '../src/live/page-server.ts'

let network: LiveNetwork
let server: PageServer

beforeEach(async () => {
  const counts = { mesh: 0, sync: 0, chord: 0, p2py: 0 }
  network = new LiveNetwork({ python: false, counts, say: () => undefined })
  server = await PageServer.open(network, 0)
})

afterEach(async () => {
  await server.close()
  await network.close()
})

const post = (body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${server.address}/command`, { method: 'POST', body, headers })

test('a page is told at once where to join and who is there', async () => {
  await network.obey({ op: 'add', network: 'mesh', count: 2 })
  const { body } = await fetch(`${server.address}/events`)
  const { value } = (await body?.getReader().read()) ?? {}
  const welcome = JSON.parse(new TextDecoder().decode(value).replace('data: ', '')) as unknown
  const node = (name: string): unknown =>
    expect.objectContaining({ node: expect.objectContaining({ name }) as unknown })
  expect(welcome).toMatchObject({
    type: 'welcome',
    doors: { mesh: expect.stringMatching(/^ws:/) as unknown },
    events: expect.arrayContaining([node('mesh 1'), node('mesh 2')]) as unknown,
  })
})

test('commands are carried out', async () => {
  const added = await post('{"op":"add","network":"mesh","count":1}')
  expect(added.status).toBe(200)
  expect(network.nodes.map(({ facts }) => facts.name)).toEqual(['mesh 1'])
  const [node] = network.nodes
  await post(JSON.stringify({ op: 'kill', id: node?.facts.id }))
  expect(network.nodes).toEqual([])
})

test.each([
  ['no JSON', 'add'],
  ['an unknown command', '{"op":"fly"}'],
  ['too many nodes', '{"op":"add","network":"mesh","count":101}'],
  ['a node that is not there', '{"op":"kill","id":"nobody"}'],
])('%s is refused', async (_what, body) => {
  const { status } = await post(body)
  expect(status).toBe(400)
  expect(network.nodes).toEqual([])
})

test('other sites in the same browser are not answered', async () => {
  const body = '{"op":"add","network":"mesh","count":1}'
  expect((await post(body, { origin: 'http://elsewhere.example' })).status).toBe(403)
  expect(network.nodes).toEqual([])
})

test('files outside of the page are not served', async () => {
  expect((await fetch(`${server.address}/..%2f..%2fpackage.json`)).status).toBe(404)
})
