import { getEventListeners } from 'node:events'
import { describe, expect, test } from '@jest/globals'
import { Emitter } from '../src/emitter.ts'

interface Events {
  readonly word: string
}

function emitterOf(errors: unknown[] = []): Emitter<Events> {
  return new Emitter<Events>((error) => errors.push(error))
}

describe('a subscription', () => {
  test.each([
    ['clear', (emitter: Emitter<Events>) => emitter.clear()],
    ['its one event', (emitter: Emitter<Events>) => emitter.emit('word', 'first')],
  ])('leaves nothing on the signal after %s', (_what, end) => {
    const { signal } = new AbortController()
    const emitter = emitterOf()
    emitter.on('word', () => undefined, { signal, once: true })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    end(emitter)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(emitter.hasListeners('word')).toBe(false)
  })

  test('ends with its signal, with the function it returned, and never begins with an aborted one', () => {
    const emitter = emitterOf()
    const heard: string[] = []
    const controller = new AbortController()
    const { signal } = controller
    emitter.on('word', (word) => heard.push(`signal ${word}`), { signal })
    const unsubscribe = emitter.on('word', (word) => heard.push(`function ${word}`))
    emitter.emit('word', 'one')
    controller.abort()
    emitter.on('word', (word) => heard.push(`aborted ${word}`), { signal })
    emitter.emit('word', 'two')
    unsubscribe()
    emitter.emit('word', 'three')
    expect(heard).toEqual(['signal one', 'function one', 'function two'])
  })
})

test('what a handler throws or rejects with keeps the others from nothing', async () => {
  const errors: unknown[] = []
  const emitter = emitterOf(errors)
  const heard: string[] = []
  emitter.on('word', () => {
    throw new Error('thrown')
  })
  emitter.on('word', () => Promise.reject(new Error('rejected')))
  emitter.on('word', (word) => heard.push(word))
  emitter.emit('word', 'one')
  await Promise.resolve()
  expect(heard).toEqual(['one'])
  expect(errors).toEqual([new Error('thrown'), new Error('rejected')])
})
