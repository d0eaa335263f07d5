import { P2pError } from '@p2p/base'

/**
 * What goes wrong in the parts of a node. What does so before the node is open waits until it can tell.
 * Both functions can be handed on as they are.
 */
export class EarlyErrors {
  readonly #waiting: P2pError[] = []
  #tell = (error: P2pError): void => {
    this.#waiting.push(error)
  }

  readonly report = (error: P2pError): void => {
    this.#tell(error)
  }

  readonly reportHandler = (cause: unknown, event: string): void => {
    this.report(handlerFailed(event, cause))
  }

  /** From now on all are told by this function, those that wait first. */
  tellBy(tell: (error: P2pError) => void): void {
    this.#tell = tell
    for (const error of this.#waiting.splice(0)) tell(error)
  }
}

export function handlerFailed(what: string, cause: unknown): P2pError {
  return new P2pError('P2P_HANDLER_FAILED', `a handler of "${what}" threw`, { cause })
}
