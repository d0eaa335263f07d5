import { expect, test } from '@jest/globals'
import type { Delivery, DemoNode } from '../src/demo/demo-node.ts'
import { Ledger } from '../src/demo/ledger.ts'

/** A node that gets what the test hands it. */
class FakeNode implements DemoNode {
  readonly kind = 'mesh'
  readonly language = 'TypeScript'
  readonly address = 'memory://fake'
  readonly name: string
  readonly id: string
  readonly #listeners: ((delivery: Delivery) => void)[] = []

  constructor(name: string) {
    this.name = name
    this.id = `id of ${name}`
  }

  onDelivery(fn: (delivery: Delivery) => void): void {
    this.#listeners.push(fn)
  }
  get(text: string): void {
    for (const listener of this.#listeners) listener({ id: '00', sender: 'somebody', text })
  }
  async connect(): Promise<void> {}
  async broadcast(): Promise<void> {}
  async reply(): Promise<void> {}
  async close(): Promise<void> {}
}

test('what was expected and came is delivered; the second arrival is a duplicate', () => {
  const [a, b] = [new FakeNode('a'), new FakeNode('b')]
  const ledger = new Ledger()
  ledger.watch(a)
  ledger.watch(b)
  ledger.expect(a, 'hello')
  ledger.expect(b, 'hello')
  expect(ledger.tally).toEqual({ expected: 2, delivered: 0, duplicates: 0 })
  a.get('hello')
  expect(ledger.tally).toEqual({ expected: 2, delivered: 1, duplicates: 0 })
  expect(ledger.missing).toEqual(['b did not get "hello"'])
  a.get('hello')
  expect(ledger.tally).toEqual({ expected: 2, delivered: 1, duplicates: 1 })
})

test('settled waits for the last delivery', async () => {
  const a = new FakeNode('a')
  const ledger = new Ledger()
  ledger.watch(a)
  ledger.expect(a, 'one')
  ledger.expect(a, 'two')
  const settled = ledger.settled(new AbortController().signal)
  a.get('two')
  a.get('one')
  await settled
  expect(ledger.missing).toEqual([])
})

test('settled gives up when its signal aborts', async () => {
  const a = new FakeNode('a')
  const ledger = new Ledger()
  ledger.expect(a, 'never')
  await ledger.settled(AbortSignal.abort())
  expect(ledger.missing).toHaveLength(1)
})
