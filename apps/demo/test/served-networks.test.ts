import { expect, test } from '@jest/globals'
import { ServedNetworks } from '../src/commands/served-networks.ts'

test('only what looks like the id of a network is told, and once', () => {
  const networks = new ServedNetworks()
  expect(networks.add('EpAm')).toBe('EpAm')
  expect(networks.add('EpAm')).toBeUndefined()
  for (const key of ['', 'with 0', '\u001b[2J', 'k'.repeat(65), Uint8Array.of(65)])
    expect(networks.add(key)).toBeUndefined()
  expect(networks.size).toBe(1)
})

test('a network that is gone counts no more, and may come again', () => {
  const networks = new ServedNetworks()
  networks.add('tea')
  networks.delete('tea')
  networks.delete('coffee')
  expect(networks.size).toBe(0)
  expect(networks.add('tea')).toBe('tea')
})

test('there is an end to how many are known', () => {
  const networks = new ServedNetworks()
  for (let index = 11_111; index <= 99_999; index++)
    networks.add(String(index).replaceAll('0', 'z'))
  expect(networks.size).toBe(10_000)
})
