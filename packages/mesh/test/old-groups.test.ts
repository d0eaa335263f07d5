import { expect, test } from '@jest/globals'
import { OldGroups } from '../src/protocol/old-groups.ts'
import type { TreeNeighbour } from '../src/protocol/tree-dissemination.ts'
import { meshPeer, treeNeighbour } from './tree-fixtures.ts'

const old = (id: string): TreeNeighbour =>
  treeNeighbour(id, { peer: meshPeer(id, 'py2p'), hasCaughtUp: false })
const ours = treeNeighbour('ours')

/** Message `number` came first from one neighbour, and then from each of these. */
function heard(
  groups: OldGroups,
  number: number,
  first: TreeNeighbour | undefined,
  then: readonly TreeNeighbour[],
  monoMs = 0,
): void {
  const entry = { frame: new Uint8Array(1), seenMs: 0, first, tree: { lazy: new Map() } }
  for (const neighbour of then) groups.noteDelivery({ number, entry, neighbour }, monoMs)
}

/** Who of ten old neighbours gets a copy of a message of our own. */
const ten = Array.from({ length: 10 }, (_, index) => old(`old ${index}`))
function served(groups: OldGroups, monoMs = 0): number[] {
  const reached: number[] = []
  return ten.flatMap((neighbour, index) =>
    groups.takes(neighbour, reached, monoMs) ? [index] : [],
  )
}
const all = ten.map((_, index) => index)
const few = all.slice(0, 6)

test('a message of our own goes to every old neighbour of which nothing is known', () => {
  const groups = new OldGroups()
  expect(served(groups)).toEqual(all)
  heard(groups, 1, undefined, ten)
  expect(served(groups)).toEqual(all)
})

test('it goes to a few of those that sent us what one of our own nodes had brought', () => {
  const groups = new OldGroups()
  heard(groups, 1, ours, ten)
  expect(served(groups)).toEqual(few)
})

test('it goes to one of each group of old neighbours that hear from one another, and not from ours', () => {
  const groups = new OldGroups()
  heard(groups, 1, ours, ten.slice(0, 6))
  const [eight, nine] = [ten[8]!, ten[9]!]
  heard(groups, 2, ten[7]!, [eight])
  heard(groups, 3, eight, [nine])
  expect(served(groups)).toEqual([...few, 6, 7])
})

test('what came from an old neighbour after a copy of ours had left shows nothing', () => {
  const groups = new OldGroups()
  groups.noteSent(3)
  heard(groups, 3, ours, ten)
  expect(served(groups)).toEqual(all)
  heard(groups, 4, ours, ten)
  expect(served(groups)).toEqual(few)
})

test('what was shown counts for ten seconds, and until a neighbour is lost', () => {
  const groups = new OldGroups()
  heard(groups, 1, ours, ten, 1_000)
  expect(served(groups, 10_999)).toEqual(few)
  expect(served(groups, 11_000)).toEqual(all)
  heard(groups, 2, ours, ten, 11_000)
  groups.forgetAll(2)
  expect(served(groups, 11_000)).toEqual(all)
  // Its copies may have come by the way that is lost.
  heard(groups, 2, ours, ten, 11_000)
  expect(served(groups, 11_000)).toEqual(all)
})
