import { expect, test } from '@jest/globals'
import type { Value } from '@p2p/serializer'
import { Agreement, type AgreementEffect } from '../../src/protocol/agreement.ts'

const wave = (fill: number): Uint8Array => new Uint8Array(8).fill(fill)
const digest = new Uint8Array(32)
const about = (...neighbours: readonly string[]): { digest: Uint8Array; neighbours: string[] } => ({
  digest,
  neighbours: [...neighbours],
})
const question = (fill: number, theirs: Uint8Array = digest): readonly Value[] => [
  0,
  0,
  wave(fill),
  theirs,
]
const answer = (fill: number, equal: boolean, nodes: number): readonly Value[] => [
  0,
  1,
  wave(fill),
  equal,
  nodes,
]

/** What is said to whom: equal or not, and of how many nodes. */
function answers(effects: readonly AgreementEffect[]): unknown[] {
  return effects.map((effect) =>
    effect.type === 'whisper'
      ? [effect.peer, ...effect.payload.slice(3)]
      : [effect.request, effect.equal, effect.nodes],
  )
}

test('alone a node agrees with itself', () => {
  expect(answers(new Agreement().start({ request: 7 }, wave(1), about(), 0))).toEqual([
    [7, true, 1],
  ])
})

test('all neighbours are asked, and their nodes are counted; one that differs decides', () => {
  for (const [equal, nodes] of [
    [true, 3],
    [false, 3],
  ] as const) {
    const agreement = new Agreement()
    expect(agreement.start({ request: 7 }, wave(1), about('a', 'b'), 0)).toHaveLength(2)
    expect(agreement.handle(answer(1, true, nodes), 'a', about(), 0)).toEqual([])
    expect(agreement.handle(answer(1, true, nodes), 'a', about(), 0)).toEqual([]) // again
    expect(answers(agreement.handle(answer(1, equal, 1), 'b', about(), 0))).toEqual([[7, equal, 5]])
  }
})

test('who is gone, and who does not answer in time, does not agree', () => {
  const agreement = new Agreement()
  agreement.start({ request: 7 }, wave(1), about('a'), 0)
  expect(answers(agreement.forget('a'))).toEqual([[7, false, 1]])
  agreement.start({ request: 8 }, wave(2), about('a'), 0)
  const dueMs = agreement.nextDeadline()
  expect(agreement.expire(dueMs - 1)).toEqual([])
  expect(answers(agreement.expire(dueMs))).toEqual([[8, false, 1]])
  expect(agreement.nextDeadline()).toBe(Infinity)
})

test('whoever asks may have less time than there is', () => {
  for (const [timeoutMs, dueMs] of [
    [200, 200],
    [60_000, 5_000],
  ] as const) {
    const agreement = new Agreement()
    agreement.start({ request: 7, timeoutMs }, wave(1), about('a'), 0)
    expect(agreement.nextDeadline()).toBe(dueMs)
    expect(answers(agreement.expire(dueMs))).toEqual([[7, false, 1]])
  }
})

test('a question is passed on to the others and answered for all; twice it counts once', () => {
  const agreement = new Agreement()
  const asked = agreement.handle(question(1), 'a', about('a', 'b'), 0)
  expect(asked.map((effect) => effect.type === 'whisper' && effect.peer)).toEqual(['b'])
  expect(answers(agreement.handle(question(1), 'c', about('a', 'b'), 0))).toEqual([['c', true, 0]])
  expect(answers(agreement.handle(answer(1, true, 1), 'b', about(), 0))).toEqual([['a', true, 2]])
})

test('a node that holds something else says so, and asks nobody', () => {
  const agreement = new Agreement()
  const other = new Uint8Array(32).fill(1)
  const told = agreement.handle(question(1, other), 'a', about('a', 'b'), 0)
  expect(answers(told)).toEqual([['a', false, 1]])
})

test('256 waves run at once, one more is answered with no', () => {
  const agreement = new Agreement()
  const ask = (number: number): unknown[] => {
    const bytes = wave(number & 255).fill(number >> 8, 1)
    return answers(agreement.handle([0, 0, bytes, digest], 'a', about('a'), 0))
  }
  for (let number = 0; number < 256; number += 1) expect(ask(number)).toEqual([['a', true, 1]])
  expect(ask(256)).toEqual([['a', false, 1]])
  expect(ask(255)).toEqual([['a', true, 0]])
})

test('what does not read as a question or an answer is dropped', () => {
  const agreement = new Agreement()
  for (const payload of [
    [0, 0, 'wave', digest],
    [0, 0, new Uint8Array(7), digest],
    [0, 0, wave(1), 'digest'],
    [0, 2, wave(1), digest],
    [0, 1, wave(1), true],
  ]) {
    expect(agreement.handle(payload, 'a', about('a'), 0)).toEqual([])
  }
})
