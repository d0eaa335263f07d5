import { expect, test } from '@jest/globals'
import { compressionMethods, intersect, negotiate, offeredMethods } from '@p2p/serializer'

const { bz2, gzip, lzma, snappy, zlib } = compressionMethods

test.each<[readonly number[], readonly number[], number | undefined]>([
  [[snappy, zlib, gzip, bz2, lzma], [lzma, gzip, zlib], zlib],
  [[zlib, gzip], [gzip], gzip],
  [[zlib, gzip], [bz2, snappy], undefined],
  [[zlib], [], undefined],
])('of %p and %p the sender uses %p', (ours, theirs, used) => {
  expect(negotiate(ours, theirs)).toBe(used)
})

test('what a peer lists may be anything', () => {
  expect(negotiate([zlib], [null, 'zlib', [zlib], zlib])).toBe(zlib)
})

test('the intersection keeps the order and the repetitions of the first list, as py2p does', () => {
  expect(intersect([1, 2, 2, 3], [3, 2, 2])).toEqual([2, 2, 3])
  expect(intersect([1, 2], [2, 1], [1])).toEqual([1])
})

test('each method is offered once', () => {
  expect(new Set(offeredMethods).size).toBe(offeredMethods.length)
})
