/** The dictionary network (sync): what one node sets, the other has. */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import type { NodeEvent, NodeProcess } from '../node-process.ts'
import { bytes, integer, map, tagToText, text } from '../tagged.ts'
import type { Tagged } from '../tagged.ts'

const keyOf = (name: string): Tagged => bytes(new TextEncoder().encode(name))

/** Waits until the node reports this value for the key; keys may come as str or bin. */
async function expectUpdate(node: NodeProcess, key: string, value: Tagged): Promise<void> {
  const wanted = JSON.stringify(value)
  const matches = (event: NodeEvent): boolean =>
    event.ev === 'update' &&
    tagToText(event['key'] as Tagged) === key &&
    JSON.stringify(event['value']) === wanted
  await node.waitFor(`update of ${key}`, matches)
}

async function start(lab: Lab, name: string): Promise<NodeProcess> {
  return lab.start(name as ProgramName, { kind: 'sync' })
}

export async function runDictionary(programs: Programs, side: Side, checks: Checks): Promise<void> {
  await withLab(programs, async (lab) => {
    const [a, b] = await Promise.all([start(lab, side.a), start(lab, side.b)])
    const [from, to] = side.dialler === 'a' ? [a, b] : [b, a]
    const connected = await checks.check(side, 'connect', async () => {
      const { peer } = await from.request('connect', { address: to.address })
      expectThat(peer === to.id, `connect answered peer ${String(peer)}`)
      await Promise.all([from.waitForPeer(to.id), to.waitForPeer(from.id)])
      return ''
    })
    if (!connected) return
    for (const [writer, reader, arrow] of [
      [a, b, 'a to b'],
      [b, a, 'b to a'],
    ] as const)
      await runWrites(writer, reader, arrow, side, checks)
    // The newcomer joins through the other one, so that either program is asked for its keys.
    await checks.check(side, 'late joiner gets the keys', async () => {
      const late = await start(lab, side.dialler === 'a' ? side.b : side.a)
      await late.request('connect', { address: to.address })
      for (const arrow of ['a to b', 'b to a'])
        await expectUpdate(late, `set ${arrow}`, text('second value'))
      return ''
    })
    await runLease(a, b, 'a to b', side, checks)
    await runLease(b, a, 'b to a', side, checks)
  })
}

async function runWrites(
  writer: NodeProcess,
  reader: NodeProcess,
  arrow: string,
  side: Side,
  checks: Checks,
): Promise<void> {
  const name = `set ${arrow}`
  const key = keyOf(name)
  await checks.check(side, name, async () => {
    await writer.request('set', { key, value: text('first value') })
    await expectUpdate(reader, name, text('first value'))
    return ''
  })
  await checks.check(side, `overwrite own ${arrow}`, async () => {
    await writer.request('set', { key, value: text('second value') })
    await expectUpdate(reader, name, text('second value'))
    return ''
  })
  await checks.check(side, `get ${arrow}`, async () => {
    const { value } = await reader.request('get', { key })
    expectThat(
      JSON.stringify(value) === JSON.stringify(text('second value')),
      JSON.stringify(value),
    )
    return ''
  })
  await checks.check(side, `two deltas ${arrow}`, async () => {
    const record = keyOf(`delta ${arrow}`)
    await writer.request('delta', { key: record, delta: map([text('x'), integer(1)]) })
    await writer.request('delta', { key: record, delta: map([text('y'), integer(2)]) })
    const both = map([text('x'), integer(1)], [text('y'), integer(2)])
    await expectUpdate(reader, `delta ${arrow}`, both)
    return ''
  })
}

/** Comes last: within one second the outcome depends on the ids, and py2p may drop the link. */
async function runLease(
  writer: NodeProcess,
  reader: NodeProcess,
  arrow: string,
  side: Side,
  checks: Checks,
): Promise<void> {
  await checks.check(side, `lease respected ${arrow}`, async () => {
    const leased = keyOf(`lease ${arrow}`)
    await writer.request('set', { key: leased, value: text('mine') })
    await expectUpdate(reader, `lease ${arrow}`, text('mine'))
    const taken = await reader.request('set', { key: leased, value: text('not yours') }).then(
      () => true,
      () => false,
    )
    // Within one second a write of the node with the smaller id wins over the lease.
    expectThat(!taken || reader.id < writer.id, 'a leased key could be set')
    return taken ? 'taken in a tie' : 'refused'
  })
}
