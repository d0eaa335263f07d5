import { expect, test } from '@jest/globals'
import {
  SenderTrees,
  isEager,
  noteFirstCopy,
  pruneAfterDuplicate,
  pruneEchoMs,
  type Tree,
} from '../src/protocol/sender-trees.ts'

const emptyTree = (): Tree<string> => ({ lazy: new Map() })

test('first messages share a tree; from the second on a sender has its own', () => {
  const trees = new SenderTrees<string>({ maxSenderTrees: 8 })
  const shared = trees.treeFor('a')
  expect(trees.treeFor('b')).toBe(shared)
  const own = trees.treeFor('a')
  expect(own).not.toBe(shared)
  expect(trees.treeFor('a')).toBe(own)
  expect(trees.treeFor('b')).not.toBe(own)
  expect(trees.treeFor('a')).toBe(own)
})

test('the sender heard longest ago is forgotten at the limit', () => {
  const trees = new SenderTrees<string>({ maxSenderTrees: 2 })
  const shared = trees.treeFor('a')
  const own = trees.treeFor('a')
  trees.treeFor('b')
  trees.treeFor('a')
  trees.treeFor('c')
  expect(trees.treeFor('a')).toBe(own)
  expect(trees.treeFor('b')).toBe(shared)
})

test('a sender text that is no id does not get a tree', () => {
  const trees = new SenderTrees<string>({ maxSenderTrees: 2 })
  const long = 'x'.repeat(129)
  expect(trees.treeFor(long)).toBe(trees.treeFor(long))
  expect(trees.treeFor(long)).toBe(trees.treeFor('somebody'))
})

test('a duplicate prunes its link once', () => {
  const tree = emptyTree()
  expect(pruneAfterDuplicate(tree, { from: 'slow', first: 'fast' }, 0)).toBe(true)
  expect(isEager(tree, 'slow')).toBe(false)
  expect(isEager(tree, 'fast')).toBe(true)
  expect(pruneAfterDuplicate(tree, { from: 'slow', first: 'fast' }, 10)).toBe(false)
})

test('copies under way when a link was pruned do not cost the other link as well', () => {
  const tree = emptyTree()
  pruneAfterDuplicate(tree, { from: 'p', first: 'q' }, 0)
  noteFirstCopy(tree, 'p', { wasAskedFor: false, monoMs: 5 })
  expect(pruneAfterDuplicate(tree, { from: 'q', first: 'p' }, 6)).toBe(false)
  expect(isEager(tree, 'q')).toBe(true)
  expect(isEager(tree, 'p')).toBe(false)
})

test('a neighbour that keeps sending after a prune is taken for a feed again', () => {
  const tree = emptyTree()
  pruneAfterDuplicate(tree, { from: 'p', first: 'q' }, 0)
  noteFirstCopy(tree, 'p', { wasAskedFor: false, monoMs: pruneEchoMs })
  expect(isEager(tree, 'p')).toBe(true)
  expect(pruneAfterDuplicate(tree, { from: 'q', first: 'p' }, pruneEchoMs + 1)).toBe(true)
})

test('a copy that was asked for makes its link a feed at once', () => {
  const tree = emptyTree()
  pruneAfterDuplicate(tree, { from: 'p', first: 'q' }, 0)
  noteFirstCopy(tree, 'p', { wasAskedFor: true, monoMs: 1 })
  expect(isEager(tree, 'p')).toBe(true)
})
