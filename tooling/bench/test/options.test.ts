import { expect, test } from '@jest/globals'
import { parseOptions, usage } from '../src/options.ts'

test('parseOptions takes suites and options, and without suites all of them', () => {
  const line = ['mesh', '--json', '--case', 'burst', '--case', 'tree', '--subject', 'ours']
  expect(parseOptions(line)).toEqual({
    names: ['mesh'],
    json: true,
    write: undefined,
    cases: ['burst', 'tree'],
    subjects: ['ours'],
  })
  expect(parseOptions([])).toMatchObject({ names: ['serializer', 'mesh', 'chord', 'sync'] })
})

test('parseOptions refuses what it does not know before anything is measured', () => {
  expect(() => parseOptions(['--fly'])).toThrow("Unknown option '--fly'")
  expect(() => parseOptions(['mesh', 'fly'])).toThrow('unknown suite "fly"')
})

test('the usage names every option', () => {
  expect(parseOptions(['--help'])).toBe('help')
  for (const option of ['--json', '--write', '--case', '--subject', '--help'])
    expect(usage).toContain(option)
})
