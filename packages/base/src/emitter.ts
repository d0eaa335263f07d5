/**
 * Typed events with an off switch. What a handler throws, or rejects with, reaches neither the other
 * handlers nor whoever emitted: it goes to `onHandlerError`.
 */

/** What every node takes: the events by name, each with the one value it carries. */
export type EventMap = { readonly [name: string]: unknown }

export interface ListenOptions {
  /** Unsubscribes when it is aborted. */
  readonly signal?: AbortSignal
  /** Unsubscribes after the first event; default false. */
  readonly once?: boolean
}

type Handler = (value: never) => unknown

interface Subscription {
  readonly handler: Handler
  readonly once: boolean
  isOver: boolean
}

const none: readonly Subscription[] = []

export class Emitter<Events extends EventMap> {
  readonly #onHandlerError: (error: unknown, event: string) => void
  /** Lists are replaced, never changed: who walks through one has those that were there when it began. */
  readonly #subscriptionsByEvent = new Map<keyof Events, readonly Subscription[]>()

  constructor(onHandlerError: (error: unknown, event: string) => void) {
    this.#onHandlerError = onHandlerError
  }

  /** Calls `handler` at each such event; returns the function that ends it. */
  on<Name extends keyof Events & string>(
    event: Name,
    handler: (value: Events[Name]) => unknown,
    options: ListenOptions = {},
  ): () => void {
    if (typeof handler !== 'function') throw new TypeError(`handler of "${event}" is no function`)
    const { signal, once = false } = options
    if (signal?.aborted === true) return () => undefined
    const subscription: Subscription = { handler, once, isOver: false }
    this.#subscriptionsByEvent.set(event, [...this.#of(event), subscription])
    const unsubscribe = (): void => {
      this.#end(event, subscription)
      signal?.removeEventListener('abort', unsubscribe)
    }
    signal?.addEventListener('abort', unsubscribe)
    return unsubscribe
  }

  hasListeners(event: keyof Events): boolean {
    return this.#of(event).length > 0
  }

  /** Calls the handlers that are subscribed now, in the order they subscribed. */
  emit<Name extends keyof Events & string>(event: Name, value: Events[Name]): void {
    for (const subscription of this.#of(event)) {
      if (subscription.isOver) continue
      if (subscription.once) this.#end(event, subscription)
      this.#call(subscription.handler as (value: Events[Name]) => unknown, value, event)
    }
  }

  /** Forgets all handlers. */
  clear(): void {
    this.#subscriptionsByEvent.clear()
  }

  #of(event: keyof Events): readonly Subscription[] {
    return this.#subscriptionsByEvent.get(event) ?? none
  }

  #end(event: keyof Events, subscription: Subscription): void {
    subscription.isOver = true
    const left = this.#of(event).filter(({ isOver }) => !isOver)
    if (left.length > 0) this.#subscriptionsByEvent.set(event, left)
    else this.#subscriptionsByEvent.delete(event)
  }

  #call<Value>(handler: (value: Value) => unknown, value: Value, event: string): void {
    try {
      const result = handler(value)
      if (result instanceof Promise) {
        result.catch((error: unknown) => {
          this.#onHandlerError(error, event)
        })
      }
    } catch (error) {
      this.#onHandlerError(error, event)
    }
  }
}
