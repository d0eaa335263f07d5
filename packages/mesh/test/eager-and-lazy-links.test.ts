import { expect, test } from '@jest/globals'
import type { PeerKind } from '@p2p/base'
import { bytesEqual, createMessage, type WireMessage } from '@p2p/serializer'
import { shortIdBytes } from '../src/protocol/message-key.ts'
import {
  decodeTreeControl,
  encodeTreeControl,
  treeControlSubFlag,
  type TreeControl,
} from '../src/protocol/tree-control.ts'
import {
  TreeDissemination,
  type Copy,
  type TreeLimits,
} from '../src/protocol/tree-dissemination.ts'
import { at, broadcastOf, idsOf, meshPeer } from './tree-fixtures.ts'

/** A strategy with neighbours; those whose name begins with "py" are old. */
function treeOf(
  names: readonly string[],
  options: {
    readonly seen?: WireMessage
    readonly limits?: Partial<TreeLimits>
    readonly floods?: boolean
  } = {},
): TreeDissemination {
  const tree = new TreeDissemination({
    ownId: 'me',
    random: (count) => new Uint8Array(count),
    compose: (payload) => createMessage({ type: 2, sender: 'me', time: 1_500_000_000, payload }),
    wasSeen: (ids, at) =>
      options.seen !== undefined &&
      bytesEqual(ids.subarray(at, at + shortIdBytes), idsOf(options.seen)),
    ...(options.limits && { limits: options.limits }),
    floods: options.floods === true,
  })
  for (const name of names) tree.addNeighbour(named(name), at(0))
  return tree
}

const kindOf = (name: string): PeerKind => (name.startsWith('py') ? 'py2p' : 'ours')
const named = (name: string): ReturnType<typeof meshPeer> => meshPeer(name, kindOf(name))

function controlOf(copy: Copy): TreeControl | undefined {
  const isControl = copy.message.payload[0] === treeControlSubFlag
  return isControl ? decodeTreeControl(copy.message.payload) : undefined
}

/** What goes where, in words: "a: whole", "b: has 1", "c: wants 1", … */
function words(copies: readonly Copy[]): readonly string[] {
  return copies.map((copy) => {
    const control = controlOf(copy)
    if (control === undefined) return `${copy.peer}: whole`
    const { announced, wanted, pruned, sinceSeconds } = control
    const count = (ids: Uint8Array): number => ids.length / shortIdBytes
    const parts = [
      announced.length > 0 ? `has ${count(announced)}` : '',
      wanted.length > 0 ? `wants ${count(wanted)}` : '',
      pruned.length > 0 ? `prunes ${count(pruned)}` : '',
      sinceSeconds > 0 ? `since ${sinceSeconds}` : '',
    ]
    return `${copy.peer}: ${parts.filter(Boolean).join(', ')}`
  })
}

function control(part: Partial<TreeControl>): WireMessage {
  const payload = encodeTreeControl({
    announced: idsOf(),
    wanted: idsOf(),
    pruned: idsOf(),
    sinceSeconds: 0,
    ...part,
  })
  return createMessage({ type: 2, sender: 'them', time: 1_500_000_000, payload })
}

const message = (number: number): WireMessage => broadcastOf('s', number)

test('the first copy goes whole to everybody but the one that brought it and the one that said it', () => {
  const tree = treeOf(['a', 'b', 'c', 's'])
  expect(words(tree.spread(message(1), named('a'), at(0)))).toEqual(['b: whole', 'c: whole'])
})

test('a second copy that crossed ours makes its link lazy: announcements, many in one frame', () => {
  const tree = treeOf(['a', 'b'])
  tree.spread(message(1), named('a'), at(0))
  expect(words(tree.spread(message(2), named('a'), at(1)))).toEqual(['b: whole'])
  // Our copy is a second one for b, and tells it what a prune would.
  expect(tree.noteDuplicate(message(2), named('b'), at(2))).toEqual([])
  expect(tree.spread(message(3), named('a'), at(10))).toEqual([])
  expect(tree.spread(message(4), named('a'), at(20))).toEqual([])
  expect(tree.nextDeadline()).toBe(50)
  expect(tree.handleDeadline(at(49))).toEqual([])
  expect(words(tree.handleDeadline(at(50)))).toEqual(['b: has 2'])
  expect(tree.nextDeadline()).toBe(Infinity)
})

test('a second copy on a link that got none of ours is pruned', () => {
  const tree = treeOf(['a', 'b'])
  tree.spread(message(1), named('a'), at(0))
  tree.spread(message(2), named('a'), at(0))
  tree.handleControl(control({ pruned: idsOf(message(2)) }), named('b'), at(1))
  expect(tree.spread(message(3), named('a'), at(2))).toEqual([])
  expect(words(tree.noteDuplicate(message(3), named('b'), at(3)))).toEqual(['b: prunes 1'])
})

test('a second copy from the author, who got none of ours, is pruned', () => {
  const tree = treeOf(['a', 's'])
  tree.spread(message(1), named('a'), at(0))
  expect(tree.spread(message(2), named('a'), at(1))).toEqual([])
  expect(words(tree.noteDuplicate(message(2), named('s'), at(2)))).toEqual(['s: prunes 1'])
})

test('a full batch of announcements does not wait', () => {
  const tree = treeOf(['a', 'b'])
  tree.spread(message(0), named('a'), at(0))
  tree.spread(message(1), named('a'), at(0))
  tree.noteDuplicate(message(1), named('b'), at(0))
  const sent: Copy[] = []
  for (let number = 2; number < 2 + 1_024; number += 1) {
    sent.push(...tree.spread(message(number), named('a'), at(1)))
  }
  expect(words(sent)).toEqual(['b: has 1024'])
})

test('a neighbour that prunes us gets announcements, and whole messages again once it asks', () => {
  const tree = treeOf(['a', 'b'])
  tree.spread(message(1), named('a'), at(0))
  tree.spread(message(2), named('a'), at(0))
  tree.handleControl(control({ pruned: idsOf(message(2)) }), named('b'), at(1))
  expect(tree.spread(message(3), named('a'), at(2))).toEqual([])
  const wanted = control({ wanted: idsOf(message(3)) })
  expect(words(tree.handleControl(wanted, named('b'), at(3)))).toEqual(['b: whole'])
  expect(tree.handleControl(wanted, named('b'), at(4))).toEqual([])
  expect(words(tree.spread(message(4), named('a'), at(5)))).toEqual(['b: whole'])
})

test('what was announced and does not come is asked for, from one announcer after the other', () => {
  const tree = treeOf(['a', 'b', 'c'])
  const announced = control({ announced: idsOf(message(1)) })
  expect(tree.handleControl(announced, named('a'), at(0))).toEqual([])
  expect(tree.handleControl(announced, named('b'), at(5))).toEqual([])
  expect(tree.nextDeadline()).toBe(250)
  expect(words(tree.handleDeadline(at(250)))).toEqual(['a: wants 1'])
  expect(words(tree.handleDeadline(at(750)))).toEqual(['b: wants 1'])
  // Both announcers have it; only the third neighbour gets a copy.
  expect(words(tree.spread(message(1), named('b'), at(760)))).toEqual(['c: whole'])
  expect(tree.handleDeadline(at(10_000))).toEqual([])
})

test('what was seen before is not asked for, also when it is no longer kept', () => {
  const tree = treeOf(['a'], { seen: message(1) })
  tree.handleControl(control({ announced: idsOf(message(1)) }), named('a'), at(0))
  expect(tree.nextDeadline()).toBe(Infinity)
})

test('a copy for an old neighbour is held, and dropped when it sends the message itself', () => {
  const tree = treeOf(['a', 'py'])
  expect(tree.spread(message(1), named('a'), at(0))).toEqual([])
  expect(tree.nextDeadline()).toBe(200)
  expect(words(tree.handleDeadline(at(200)))).toEqual(['py: whole'])
  tree.spread(message(2), named('a'), at(1_000))
  expect(tree.noteDuplicate(message(2), named('py'), at(1_050))).toEqual([])
  expect(tree.handleDeadline(at(2_000))).toEqual([])
})

test('our own messages go to old neighbours at once', () => {
  const tree = treeOf(['a', 'py'])
  const own = broadcastOf('me', 1)
  expect(words(tree.spread(own, undefined, at(0)))).toEqual(['a: whole', 'py: whole'])
})

test('those that stand alone only go to a few of the old neighbours that hear from others', () => {
  const tree = treeOf(['a', ...Array.from({ length: 8 }, (_, index) => `py${index}`)])
  const copiesTo = (standsAlone: boolean, number: number): number =>
    tree.spread(broadcastOf('me', number), undefined, at(1), { standsAlone }).length
  expect(copiesTo(true, 1)).toBe(9)
  tree.spread(message(1), named('a'), at(0))
  for (let index = 0; index < 8; index += 1) {
    tree.noteDuplicate(message(1), named(`py${index}`), at(1))
  }
  expect(copiesTo(true, 2)).toBe(7)
  expect(copiesTo(false, 3)).toBe(9)
})

test('an old neighbour that sends control messages is not listened to', () => {
  const tree = treeOf(['a', 'py'])
  tree.spread(message(1), named('a'), at(0))
  const wanted = control({ wanted: idsOf(message(1)), announced: idsOf(message(2)) })
  expect(tree.handleControl(wanted, named('py'), at(1))).toEqual([])
  expect(tree.counters()['missingMessages']).toBe(0)
})

test('control messages that do not read as such change nothing', () => {
  const tree = treeOf(['a'])
  for (const payload of [[treeControlSubFlag], [treeControlSubFlag, 'x', 1, null, -1]]) {
    const broken = createMessage({ type: 2, sender: 'them', time: 1, payload })
    expect(tree.handleControl(broken, named('a'), at(0))).toEqual([])
  }
  expect(tree.nextDeadline()).toBe(Infinity)
})

test('the first neighbour is asked for nothing, a later one for what was missed, a minute at most', () => {
  const tree = treeOf(['a'])
  expect(words(tree.addNeighbour(named('b'), at(1_500)))).toEqual(['b: since 2'])
  expect(tree.noteFeatures(named('b'), at(1_600))).toEqual([])
  expect(words(tree.addNeighbour(named('c'), at(500_000)))).toEqual(['c: since 60'])
  expect(tree.addNeighbour(named('py'), at(500_000))).toEqual([])
})

test('a neighbour that asks what it missed is told of what it is not known to have', () => {
  const tree = treeOf(['a', 'b'])
  tree.spread(message(1), named('a'), at(0))
  tree.spread(message(2), named('a'), at(9_000))
  tree.addNeighbour(named('late'), at(10_000))
  tree.handleControl(control({ sinceSeconds: 5 }), named('late'), at(10_000))
  const [told] = tree.handleDeadline(at(10_040))
  expect(told?.peer).toBe('late')
  expect(told && controlOf(told)?.announced).toEqual(idsOf(message(2)))
  // It sent us both itself: there is nothing to tell.
  tree.handleControl(control({ sinceSeconds: 60 }), named('a'), at(10_100))
  expect(tree.handleDeadline(at(11_000))).toEqual([])
})

test('a lost neighbour gets nothing, is asked nothing, and leaves nothing behind', () => {
  const tree = treeOf(['a', 'b', 'py'])
  tree.handleControl(control({ announced: idsOf(message(9)) }), named('b'), at(0))
  tree.spread(message(1), named('a'), at(0))
  tree.removeNeighbour(named('b'))
  tree.removeNeighbour(named('py'))
  expect(tree.handleDeadline(at(10_000))).toEqual([])
  expect(tree.spread(message(2), named('a'), at(10_001))).toEqual([])
  expect(tree.counters()['missingMessages']).toBe(0)
})

test('an old neighbour gets again what it may not have read before its link fell', () => {
  const tree = treeOf(['py', 'py2'])
  const ids = (copies: readonly Copy[]) => copies.map((copy) => copy.message.payload[1])
  tree.spread(message(1), undefined, at(0))
  tree.spread(message(2), undefined, at(1_001))
  tree.spread(broadcastOf('py', 3), named('py2'), at(9_000))
  tree.spread(message(4), named('py'), at(9_001))
  tree.removeNeighbour(named('py'))
  tree.spread(message(5), undefined, at(12_000))
  // Neither what is too old to have been unread, nor its own, nor what it brought.
  expect(ids(tree.addNeighbour(named('py'), at(21_000)))).toEqual([2, 5])
  expect(tree.addNeighbour(named('py3'), at(21_000))).toEqual([])
})

test('that an old neighbour floods back what it got again shows nothing of who serves it', () => {
  const names = Array.from({ length: 7 }, (_, index) => `py${index}`)
  const tree = treeOf([...names, 'ours'])
  const last = named('py6')
  tree.removeNeighbour(last)
  // Of ours, and held by all the other old ones by the time they could go to them.
  const heldBy = names.slice(0, 6)
  for (const one of [1, 2]) tree.spread(message(one), named('ours'), at(1_000), { heldBy })
  expect(words(tree.addNeighbour(last, at(2_000)))).toEqual(['py6: whole', 'py6: whole'])
  for (const one of [1, 2]) tree.noteDuplicate(message(one), last, at(2_100))
  const copies = tree.spread(message(3), undefined, at(2_200), { standsAlone: true })
  expect(copies.map(({ peer }) => peer)).toContain('py6')
})

test('strangers are neither listened to nor waited for', () => {
  const tree = treeOf(['a'])
  tree.spread(message(1), named('a'), at(0))
  const wanted = control({ wanted: idsOf(message(1)), announced: idsOf(message(2)) })
  expect(tree.handleControl(wanted, named('stranger'), at(1))).toEqual([])
  expect(tree.noteDuplicate(message(1), named('stranger'), at(1))).toEqual([])
  tree.removeNeighbour(named('stranger'))
  expect(tree.nextDeadline()).toBe(Infinity)
})

test('a neighbour that asks for or prunes what is not here any more gets nothing', () => {
  const tree = treeOf(['a', 'b'])
  const unknown = idsOf(message(9))
  expect(
    tree.handleControl(control({ wanted: unknown, pruned: unknown }), named('a'), at(0)),
  ).toEqual([])
  expect(words(tree.spread(message(1), undefined, at(1)))).toEqual(['a: whole', 'b: whole'])
})

test('who holds a message by another way is not offered it', () => {
  const tree = treeOf(['a', 'b', 'c'])
  const copies = tree.spread(message(1), named('a'), at(0), { heldBy: ['b', 'nobody'] })
  expect(words(copies)).toEqual(['c: whole'])
})

test('a node without extensions passes a broadcast on to everybody at once, and says nothing else', () => {
  const tree = treeOf(['a', 'js', 'py', 's'], { floods: true })
  expect(words(tree.spread(message(1), named('a'), at(0)))).toEqual(['js: whole', 'py: whole'])
  expect(tree.noteDuplicate(message(1), named('py'), at(1))).toEqual([])
  expect(tree.nextDeadline()).toBe(Infinity)
})
