/**
 * Typed events with an off switch. What a handler throws, or rejects with, reaches neither the other
 * handlers nor whoever emitted: it goes to `onHandlerError`.
 */

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
  /** Takes it out, and its listener off the application's signal. */
  readonly end: () => void
}

/** Of events by name, each with the one value it carries. */
export class Emitter<Events extends object> {
  readonly #onHandlerError: (error: unknown, event: string) => void
  readonly #subscriptionsByEvent = new Map<keyof Events, Set<Subscription>>()

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
    const subscriptions = this.#subscriptionsByEvent.get(event) ?? new Set<Subscription>()
    this.#subscriptionsByEvent.set(event, subscriptions)
    const end = (): void => {
      subscriptions.delete(subscription)
      signal?.removeEventListener('abort', end)
    }
    const subscription: Subscription = { handler, once, end }
    subscriptions.add(subscription)
    signal?.addEventListener('abort', end)
    return end
  }

  hasListeners(event: keyof Events): boolean {
    return (this.#subscriptionsByEvent.get(event)?.size ?? 0) > 0
  }

  /** Calls the handlers that are subscribed now, in the order they subscribed. */
  emit<Name extends keyof Events & string>(event: Name, value: Events[Name]): void {
    const subscriptions = this.#subscriptionsByEvent.get(event)
    if (subscriptions === undefined || subscriptions.size === 0) return
    for (const subscription of [...subscriptions]) {
      if (!subscriptions.has(subscription)) continue
      if (subscription.once) subscription.end()
      this.#call(subscription.handler as (value: Events[Name]) => unknown, value, event)
    }
  }

  /** Forgets all handlers. */
  clear(): void {
    for (const subscriptions of this.#subscriptionsByEvent.values()) {
      for (const { end } of subscriptions) end()
    }
    this.#subscriptionsByEvent.clear()
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
