/**
 * Typed publish and subscribe over the mesh.
 *
 * A value is broadcast as `[0x7050, topic name, value]`: a sub-flag that the originals relay and do not
 * show to their programs. What comes in is checked with the schema first; a value that does not fit
 * never reaches the handler, and is told to the node instead (`message:rejected`).
 *
 * Any library that follows Standard Schema (version 1) will do: zod, valibot, arktype. Source:
 * https://standardschema.dev; the part of its interface that is used here is declared below.
 */
import type { Value } from '@p2p/serializer'

export const topicSubFlag = 0x7050
export const maxTopicNameLength = 256

/**
 * The part of Standard Schema 1 that is needed to check values. A schema that transforms takes other
 * values, which go over the wire, than it gives to the handlers.
 */
export interface TopicSchema<Output, Input = Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
}

/** What comes with a value. */
export interface TopicContext {
  /** Id of the node that says it published this. */
  readonly sender: string
  readonly timeSeconds: number
}

export type TopicHandler<Output> = (value: Output, context: TopicContext) => unknown

export class Topic<Output, Input = Output> {
  readonly name: string
  readonly #schema: TopicSchema<Output, Input>
  readonly #publish: (payload: readonly Value[]) => void
  readonly #handlers = new Set<TopicHandler<Output>>()
  readonly #onSubscribed: (isSubscribed: boolean) => void
  readonly #onHandlerError: (error: unknown) => void

  constructor(options: {
    readonly name: string
    readonly schema: TopicSchema<Output, Input>
    readonly publish: (payload: readonly Value[]) => void
    /** Told when the first handler comes, and when the last one has gone. */
    readonly onSubscribed: (isSubscribed: boolean) => void
    readonly onHandlerError: (error: unknown) => void
  }) {
    const given: Partial<TopicSchema<Output, Input>> | undefined = options.schema
    if (typeof given?.['~standard']?.validate !== 'function') {
      throw new TypeError('a topic needs a Standard Schema, such as one of zod')
    }
    this.name = options.name
    this.#schema = options.schema
    this.#publish = options.publish
    this.#onSubscribed = options.onSubscribed
    this.#onHandlerError = options.onHandlerError
  }

  /**
   * Sends a value to every subscriber in the network; not to our own handlers.
   *
   * @throws EncodeError for values that the wire cannot carry
   */
  publish(value: Input & Value): void {
    this.#publish([topicSubFlag, this.name, value])
  }

  /** Calls the handler for every value that fits the schema; returns the function that ends it. */
  on(handler: TopicHandler<Output>, options: { readonly signal?: AbortSignal } = {}): () => void {
    const { signal } = options
    if (typeof handler !== 'function') throw new TypeError('the handler must be a function')
    if (signal?.aborted === true) return () => undefined
    this.#handlers.add(handler)
    this.#onSubscribed(true)
    const unsubscribe = (): void => {
      this.#handlers.delete(handler)
      if (this.#handlers.size === 0) this.#onSubscribed(false)
      signal?.removeEventListener('abort', unsubscribe)
    }
    signal?.addEventListener('abort', unsubscribe)
    return unsubscribe
  }

  /** Checks a value and hands it on; answers what is wrong with it. */
  async deliver(value: unknown, context: TopicContext): Promise<readonly SchemaIssue[]> {
    const result = await this.#schema['~standard'].validate(value)
    if (result.issues !== undefined) return result.issues
    for (const handler of [...this.#handlers]) {
      try {
        await handler(result.value, context)
      } catch (error) {
        this.#onHandlerError(error)
      }
    }
    return []
  }
}
