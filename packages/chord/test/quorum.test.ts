/** Which three of five tables a node begins with. */
import { expect, test } from '@jest/globals'
import { smallestQuorum } from '../src/protocol/quorum.ts'

const tablesOf = (...lists: readonly string[]) =>
  lists.map((list) => ({ holders: list.split(' ') }))
const wishes = (holdersEach: number, neighbours: string) => ({
  id: 'me',
  holdersEach,
  neighbours: new Set(neighbours),
})

test('what is held here comes first, then what one neighbour owns, then who need not be dialled', () => {
  const [a, b, c, d, e] = tablesOf('x', 'y', 'me', 'z', 'y')
  const quorum = smallestQuorum([a!, b!, c!, d!, e!], wishes(1, 'yz'))
  expect(quorum.tables).toEqual([c, b, e, a, d])
  expect([quorum.first, [...quorum.nodes]]).toEqual([3, ['me', 'y']])
  const linked = smallestQuorum([a!, d!, c!, b!], wishes(1, 'yz'))
  expect([...linked.nodes]).toEqual(['me', 'z', 'y'])
})

test('tables that cost nothing more are asked at once as well', () => {
  const all = tablesOf('x', 'x', 'y', 'x', 'x')
  const quorum = smallestQuorum(all, wishes(1, 'xy'))
  expect([quorum.first, [...quorum.nodes]]).toEqual([4, ['me', 'x']])
  expect(quorum.tables.at(-1)).toBe(all[2])
})

test('a write needs the owner and two more of each table, of whom many are shared', () => {
  const all = tablesOf('a b c d e', 'f g h i j', 'c a x y b', 'z me k b a', 'b p q a c')
  const quorum = smallestQuorum(all, wishes(3, 'abcpz'))
  expect(quorum.nodes).toEqual(new Set(['me', 'a', 'b', 'c', 'z']))
  expect(quorum.tables.at(-1)).toBe(all[1])
  expect(quorum.first).toBe(4)
})

test('fewer holders than are wanted are all needed; without any, nobody is', () => {
  const few = smallestQuorum(tablesOf('a b', 'b a', 'a b', 'b a', 'c d'), wishes(3, 'abcd'))
  expect(few.nodes).toEqual(new Set(['me', 'a', 'b']))
  const none = smallestQuorum([{ holders: [] }, { holders: [] }], wishes(1, ''))
  expect([none.first, none.nodes]).toEqual([2, new Set(['me'])])
})
