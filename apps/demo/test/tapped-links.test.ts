import { afterEach, expect, test } from '@jest/globals'
import { MemoryTransport } from '@p2p/base/memory'
import { MeshNode } from '@p2p/mesh'
import { LinkTap } from '../src/live/tapped-links.ts'
import type { TappedFrame } from '../src/live/tapped-links.ts'

const nodes: MeshNode[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
})

/** A node whose links are tapped, and one that it dialled, whose are not. */
async function pair(): Promise<{
  readonly tap: LinkTap
  readonly tapped: MeshNode
  readonly other: MeshNode
  readonly frames: readonly TappedFrame[]
}> {
  const frames: TappedFrame[] = []
  const tap = new LinkTap([new MemoryTransport()], {
    isSeenHere: () => true,
    onFrame: (frame) => frames.push(frame),
  })
  const other = await MeshNode.open({ listen: 'memory://other' })
  nodes.push(other)
  const joined = new Promise((resolve) => other.on('peer:join', resolve))
  const tapped = await MeshNode.open({ transports: tap.transports, connect: 'memory://other' })
  nodes.push(tapped)
  await joined
  return { tap, tapped, other, frames }
}

const nextMessage = (node: MeshNode): Promise<unknown> =>
  new Promise((resolve) => node.on('message', ({ packets }) => resolve(packets[0])))
const nextLeave = (node: MeshNode): Promise<void> =>
  new Promise((resolve) => node.on('peer:leave', () => resolve()))

test('a tap tells frames both ways, with who sent them to whom', async () => {
  const { tapped, other, frames } = await pair()
  const heard = [nextMessage(other), nextMessage(tapped)]
  const id = tapped.broadcast('out')
  const back = other.broadcast('in')
  expect(await Promise.all(heard)).toEqual(['out', 'in'])
  const told = frames.map(({ from, to, message }) => [
    from,
    to,
    Buffer.from(message.id).toString('hex'),
  ])
  expect(told).toContainEqual([tapped.id, other.id, id])
  expect(told).toContainEqual([other.id, tapped.id, back])
})

test('a paused node gets what was sent meanwhile when it goes on', async () => {
  const { tap, tapped, other } = await pair()
  const received: unknown[] = []
  tapped.on('message', ({ packets }) => received.push(packets[0]))
  tap.pause()
  other.broadcast('while it stood still')
  // What the paused one says waits too; so this is the first thing the other hears.
  const heard = nextMessage(other)
  tapped.broadcast('waits')
  expect(received).toEqual([])
  const arrived = nextMessage(tapped)
  tap.resume()
  expect(await arrived).toBe('while it stood still')
  expect(await heard).toBe('waits')
})

test('an isolated node loses its links, and dials in vain until it is healed', async () => {
  const { tap, tapped, other } = await pair()
  const left = Promise.all([nextLeave(tapped), nextLeave(other)])
  tap.isolate()
  await left
  await expect(tapped.connect('memory://other')).rejects.toMatchObject({
    code: 'P2P_CONNECTION_REFUSED',
  })
  tap.heal()
  expect(await tapped.connect('memory://other')).toMatchObject({ id: other.id })
})

test('a cut ends the link to one peer, and a new one as soon as it is known whose it is', async () => {
  const { tap, tapped, other } = await pair()
  const left = nextLeave(tapped)
  tap.cut(other.id)
  await left
  await expect(tapped.connect('memory://other')).rejects.toMatchObject({
    code: expect.stringMatching(/^P2P_/) as unknown,
  })
  tap.heal()
  expect(await tapped.connect('memory://other')).toMatchObject({ id: other.id })
})
