/** Networks of p2py, mixed: ours and Python nodes join each other, talk, ask, bounce, leave. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import type { NodeEvent, NodeProcess } from '../node-process.ts'
import { integer, text } from '../tagged.ts'

let messageCount = 0

/** A text that no other message of this run has. */
function freshText(): string {
  messageCount += 1
  return `p2py message ${messageCount}`
}

function hostAndPort(node: NodeProcess): readonly [string, number] {
  const { hostname, port } = new URL(node.address.replace('tcp:', 'http:'))
  return [hostname, Number(port)]
}

async function start(lab: Lab, name: string): Promise<NodeProcess> {
  return lab.start(name as ProgramName, { kind: 'p2py' })
}

async function join(node: NodeProcess, contact: NodeProcess): Promise<number> {
  const { uuid } = await node.request('p2py_join', { address: hostAndPort(contact) })
  expectThat(typeof uuid === 'number', `${node.name} joined as ${String(uuid)}`)
  return uuid
}

/** Waits until the node has reported an event with this text as its data. */
async function heard(node: NodeProcess, ev: string, data: string): Promise<NodeEvent> {
  const wanted = JSON.stringify(text(data))
  const matches = (event: NodeEvent): boolean =>
    event.ev === ev && JSON.stringify(event['data']) === wanted
  return node.waitFor(`${ev} "${data}"`, matches)
}

async function expectText(from: NodeProcess, to: NodeProcess, uuid: number): Promise<void> {
  const data = freshText()
  await from.request('p2py_send', { uuid, message: { type: 'TEXT', data } })
  await heard(to, 'text', data)
}

/** Asks, and checks the `data` of the answer. */
async function expectAnswer(
  from: NodeProcess,
  uuid: number,
  type: string,
  [asked, expected]: readonly [number, number],
): Promise<string> {
  const message = { type, data: integer(asked) }
  const { response, ms } = await from.request('p2py_request', { uuid, message })
  const wanted = JSON.stringify([text('data'), integer(expected)])
  const got = JSON.stringify(response)
  expectThat(got.includes(wanted), `answer ${got.slice(0, 200)}`)
  return `${String(ms)} ms`
}

/** Node `a` and node `b`; the dialler joins the other one, which becomes UUID 0. */
export async function runP2pyPair(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const [a, b] = await Promise.all([start(lab, side.a), start(lab, side.b)])
    const [joiner, first] = side.dialler === 'a' ? [a, b] : [b, a]
    const joined = await checks.check(side, 'join', async () => {
      expectThat((await join(joiner, first)) === 1, 'the joiner is not UUID 1')
      return ''
    })
    if (!joined) return
    for (const [from, to, uuid, arrow] of [
      [joiner, first, 0, 'joiner to first'],
      [first, joiner, 1, 'first to joiner'],
    ] as const) {
      await checks.check(side, `text by UUID, ${arrow}`, async () => {
        await expectText(from, to, uuid)
        return ''
      })
      await checks.check(side, `request and response, ${arrow}`, async () => {
        await to.request('p2py_handle', { type: 'ADD', reply: 'add_one' })
        return expectAnswer(from, uuid, 'ADD', [17, 18])
      })
      await checks.check(side, `own message type, ${arrow}`, async () => {
        const data = freshText()
        await to.request('p2py_handle', { type: 'NEWS' })
        await from.request('p2py_send', { uuid, message: { type: 'NEWS', data } })
        const { type } = await heard(to, 'message', data)
        expectThat(type === 'NEWS', `type ${String(type)}`)
        return ''
      })
    }
    await checks.check(side, 'leave, and the UUID is used again', async () => {
      await joiner.request('p2py_leave')
      await first.waitFor('peer_leave 1', ({ ev, id }) => ev === 'peer_leave' && id === '1')
      const next = await start(lab, joiner.name)
      const uuid = await join(next, first)
      expectThat(uuid === 1, `the next newcomer is UUID ${uuid}`)
      return ''
    })
  })
}

/** Programs take turns in one network, not the dialler's first; everybody talks with everybody else's kind. */
export async function runP2pyMixed(
  programs: Programs,
  side: Side,
  checks: Checks,
  count: number,
): Promise<void> {
  await withLab(programs, async (lab) => {
    const turns = side.dialler === 'a' ? [side.b, side.a] : [side.a, side.b]
    const names = Array.from({ length: count }, (_, index) => turns[index % 2] ?? side.a)
    const nodes = await Promise.all(names.map((name) => start(lab, name)))
    const feature = (name: string): string => `${count} nodes: ${name}`
    const joined = await checks.check(side, feature('UUIDs in order'), async () => {
      const uuids = [0]
      for (const node of nodes.slice(1)) uuids.push(await join(node, nodeAt(nodes, 0)))
      const expected = nodes.map((_, index) => index)
      expectThat(uuids.join() === expected.join(), `UUIDs ${uuids.join()}`)
      return uuids.join(' ')
    })
    if (!joined) return
    const known = await checks.check(side, feature('everybody hears of everybody'), async () => {
      for (const [own, node] of nodes.entries()) await hearsOfAll(node, own, count)
      return ''
    })
    if (!known) return
    await checks.check(side, feature('a text to and from each of ours'), () => textToAll(nodes))
    await checks.check(side, feature('bounced request'), () => expectBounce(nodes))
    await checks.check(side, feature('message to the peer book'), () => expectBook(nodes))
  })
}

function nodeAt(nodes: readonly NodeProcess[], uuid: number): NodeProcess {
  const node = nodes[uuid]
  expectThat(node !== undefined, `no node ${uuid}`)
  return node
}

/** Python nodes report only those who come into their peer book, but also how many there are. */
async function hearsOfAll(node: NodeProcess, own: number, count: number): Promise<void> {
  if (node.name === 'p2py') {
    const counts = ({ network_size: size }: NodeEvent): boolean => size === count
    if (own < count - 1) await node.waitFor(`network of ${count}`, counts)
    return
  }
  for (let uuid = own + 1; uuid < count; uuid += 1) {
    const joins = ({ ev, id }: NodeEvent): boolean => ev === 'peer_join' && id === String(uuid)
    await node.waitFor(`peer_join ${uuid}`, joins)
  }
}

/**
 * One after the other: a Python node that dials another while that one dials it keeps two links, and
 * announces the other as gone when one of them ends.
 */
async function textToAll(nodes: readonly NodeProcess[]): Promise<string> {
  let count = 0
  for (const [sender, from] of nodes.entries())
    for (const [uuid, to] of nodes.entries()) {
      // What Python nodes lose among themselves is theirs.
      if (uuid === sender || (from.name === 'p2py' && to.name === 'p2py')) continue
      await expectText(from, to, uuid).catch((error: unknown) => {
        throw new Error(`${sender} (${from.name}) to ${uuid} (${to.name}): ${String(error)}`)
      })
      count += 1
    }
  return `${count} texts`
}

/**
 * Node by node: the asker asks one node, which bounces to another, and that one answers straight to the
 * asker; then the two change roles. Ours ask the first two nodes, however far away. A Python node asks
 * neighbours: it keeps a link over which another Python node has answered a search in its peer book,
 * although the other one has forgotten it, so its second search may be lost.
 */
async function expectBounce(nodes: readonly NodeProcess[]): Promise<string> {
  const times: string[] = []
  const own = nodes.findLastIndex(({ name }) => name === 'p2p')
  if (own > 1) times.push(...(await bounceBetween(nodes, own, [0, 1])))
  const python = nodes.findLastIndex(({ name }) => name === 'p2py')
  const neighbours = [python - 1, python > 1 ? python - 2 : python + 1] as const
  times.push(...(await bounceBetween(nodes, python, neighbours)))
  return times.join(', ')
}

async function bounceBetween(
  nodes: readonly NodeProcess[],
  asker: number,
  [one, other]: readonly [number, number],
): Promise<readonly string[]> {
  const times: string[] = []
  for (const [bouncer, answerer] of [
    [one, other],
    [other, one],
  ] as const) {
    const type = `${asker} BOUNCED BY ${bouncer}`
    const reply = `bounce:${answerer}`
    await nodeAt(nodes, bouncer).request('p2py_handle', { type, reply })
    await nodeAt(nodes, answerer).request('p2py_handle', { type, reply: 'add_one' })
    times.push(await expectAnswer(nodeAt(nodes, asker), bouncer, type, [41, 42]))
  }
  return times
}

/** From a node of each program to the members of its peer book. */
async function expectBook(nodes: readonly NodeProcess[]): Promise<string> {
  for (const node of nodes) await node.request('p2py_handle', { type: 'TO BOOK' })
  for (const from of [nodeAt(nodes, 0), nodeAt(nodes, 1)]) {
    const { peers } = await from.request('peers')
    const data = freshText()
    await from.request('p2py_book', { message: { type: 'TO BOOK', data } })
    expectThat(Array.isArray(peers) && peers.length > 0, 'an empty peer book')
    for (const uuid of peers) await heard(nodeAt(nodes, Number(uuid)), 'message', data)
  }
  return ''
}
