import { expect, test } from '@jest/globals'
import { bytesToByteText, textToByteText } from '../../src/protocol/byte-text.ts'
import { currentLease, LeaseError, originalAccepts } from '../../src/protocol/lease.ts'
import type { Write } from '../../src/protocol/write.ts'

const rule = { leasing: true, leaseSeconds: 3_600 }
const later = { leasing: false, leaseSeconds: 3_600 }
const held = { owner: textToByteText('m'), time: 10_000 }
const change = (owner: string, time: number): Parameters<typeof originalAccepts>[1] => ({
  owner: textToByteText(owner),
  time,
  isDelta: false,
})

test('the originals take a change of a free key, of its holder, and of anybody once the lease is over', () => {
  expect(originalAccepts(undefined, change('z', 1), rule, 10_000)).toBe(true)
  expect(originalAccepts(held, change('m', 1), rule, 10_000)).toBe(true)
  expect(originalAccepts(held, change('z', 10_001), rule, 13_600)).toBe(false)
  expect(originalAccepts(held, change('z', 10_001), rule, 13_601)).toBe(true)
})

test('of two first writes in one second the originals keep the smaller owner', () => {
  expect(originalAccepts(held, change('a', 10_000), rule, 10_000)).toBe(true)
  expect(originalAccepts(held, change('z', 10_000), rule, 10_000)).toBe(false)
})

test('without leases the originals take the later change, and every delta', () => {
  expect(originalAccepts(held, change('z', 10_001), later, 10_000)).toBe(true)
  expect(originalAccepts(held, change('z', 9_999), later, 10_000)).toBe(false)
  const delta = { ...change('z', 9_999), isDelta: true }
  expect(originalAccepts(held, delta, later, 10_000)).toBe(true)
  expect(originalAccepts(held, delta, rule, 10_000)).toBe(false)
})

test('a lease names who holds the key, as well as that can be shown, and for how long', () => {
  const holder: Write = { kind: 'set', ...held, sequence: 0, value: new Uint8Array(1), knew: [] }
  const lease = currentLease(holder, rule, 10_000)
  expect(lease).toEqual({ owner: 'm', expiresAtSeconds: 13_601 })
  expect(currentLease(holder, rule, 13_601)).toBeUndefined()
  expect(currentLease(holder, later, 10_000)).toBeUndefined()
  expect(currentLease({ ...holder, kind: 'delete' }, rule, 10_000)).toBeUndefined()
  const owner = bytesToByteText(Uint8Array.of(0xff, 0xfe))
  expect(currentLease({ ...holder, owner }, rule, 10_000)?.owner).toBe(owner)
  if (lease === undefined) throw new Error('the key is leased')
  expect(new LeaseError(lease, 13_600.5)).toMatchObject({
    code: 'P2P_LEASE_HELD',
    owner: 'm',
    remainingSeconds: 0.5,
  })
})
