/**
 * Who must get what, and who got it. Every text of the demo is written once, so a second arrival of
 * the same text at the same node is a duplicate.
 */
import type { DemoNode, Delivery } from './demo-node.ts'

interface Expectation {
  readonly to: DemoNode
  readonly text: string
}

export interface Tally {
  readonly expected: number
  readonly delivered: number
  readonly duplicates: number
}

export class Ledger {
  /** Arrivals by receiver's name and text. */
  readonly #arrivals = new Map<string, Delivery[]>()
  readonly #expected: Expectation[] = []
  readonly #waiting = new Set<() => void>()

  /** Notes everything this node gets from now on. */
  watch(node: DemoNode): void {
    node.onDelivery((delivery) => {
      const key = keyOf(node, delivery.text)
      const arrivals = this.#arrivals.get(key) ?? []
      arrivals.push(delivery)
      this.#arrivals.set(key, arrivals)
      for (const check of this.#waiting) check()
    })
  }

  expect(to: DemoNode, text: string): void {
    this.#expected.push({ to, text })
  }

  /** What this node got for a text it was to get; undefined when it has not come. */
  arrival(to: DemoNode, text: string): Delivery | undefined {
    return this.#arrivals.get(keyOf(to, text))?.[0]
  }

  get tally(): Tally {
    const counts = this.#expected.map(({ to, text }) => this.#count(to, text))
    const arrivals = [...this.#arrivals.values()]
    return {
      expected: counts.length,
      delivered: counts.filter((count) => count > 0).length,
      duplicates: arrivals.reduce((sum, list) => sum + list.length - 1, 0),
    }
  }

  /** What was expected and has not come, in words. */
  get missing(): readonly string[] {
    return this.#expected
      .filter(({ to, text }) => this.#count(to, text) === 0)
      .map(({ to, text }) => `${to.name} did not get "${text}"`)
  }

  /** Resolves when everything expected so far has come, or when `signal` aborts: look at `missing` then. */
  async settled(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.missing.length > 0 && !signal.aborted) return
        this.#waiting.delete(check)
        signal.removeEventListener('abort', check)
        resolve()
      }
      this.#waiting.add(check)
      signal.addEventListener('abort', check)
      check()
    })
  }

  #count(to: DemoNode, text: string): number {
    return this.#arrivals.get(keyOf(to, text))?.length ?? 0
  }
}

function keyOf(to: DemoNode, text: string): string {
  return `${to.name}\n${text}`
}
