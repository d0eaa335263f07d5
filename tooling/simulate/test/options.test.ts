import { expect, test } from '@jest/globals'
import { allFaultKinds } from '@p2p/base/sim'
import { parseOptions } from '../src/options.ts'

test('the defaults are one calm run of 100 nodes', () => {
  expect(parseOptions([])).toEqual({
    type: 'mesh',
    minNodes: 100,
    maxNodes: 100,
    firstSeed: 1,
    seedCount: 1,
    faults: [],
    faultMinutes: 10,
    oldShare: 0,
    hostileCount: 0,
    broadcasts: 20,
    dissemination: 'tree',
    keys: 200,
    sessionMinutes: 60,
    spacingMs: 200,
    phases: ['crash', 'churn', 'partition'],
    repairSeconds: 60,
    heartbeatSeconds: 10,
    messages: 2,
    maxWallSeconds: Infinity,
    workerCount: 1,
    minSpeed: 0,
    maxCopies: Infinity,
    isOnce: false,
    transcript: false,
    json: false,
  })
})

test('ranges, lists of faults and all of them are read', () => {
  const options = parseOptions(['--nodes', '16-64', '--faults', 'crash,partition', '--old', '0.5'])
  expect(options).toMatchObject({
    minNodes: 16,
    maxNodes: 64,
    faults: ['crash', 'partition'],
    oldShare: 0.5,
  })
  expect(parseOptions(['--faults', 'all'])).toMatchObject({ faults: allFaultKinds })
  expect(parseOptions(['--help'])).toBe('help')
})

test.each([
  ['--type', 'ring', 'known: mesh, sync, chord, p2py'],
  ['--messages', '0', '--messages'],
  ['--nodes', '64-16', '--nodes'],
  ['--min-speed', 'fast', '--min-speed'],
  ['--nodes', '1.5-3', '--nodes'],
  ['--seeds', 'many', '--seeds'],
  ['--faults', 'crash,gremlins', 'gremlins'],
  ['--old', '1', '--old'],
  ['--phases', 'crash,flood', 'known: balance, crash, churn, partition'],
  ['--dissemination', 'pigeon', 'tree or flood'],
])('%s %s is refused, and the message says what is known', (name, value, hint) => {
  expect(() => parseOptions([name, value])).toThrow(hint)
})

test('what has no meaning in a p2py network is refused', () => {
  expect(parseOptions(['--type', 'p2py', '--nodes', '50'])).toMatchObject({ type: 'p2py' })
  expect(() => parseOptions(['--type', 'p2py', '--faults', 'all'])).toThrow('--faults')
  expect(() => parseOptions(['--type', 'p2py', '--old', '0.5'])).toThrow('--old')
})
