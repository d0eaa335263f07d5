/**
 * Questions to one node and their answers, with a deadline.
 *
 * ```
 *  question  whisper [0x7051, request id, …packets]
 *  answer    whisper [0x7052, request id, ok, …packets]     ok false: packets hold the error's text
 * ```
 *
 * Only our own nodes know these sub-flags; the originals ignore them. An answer counts only when it
 * comes from the node that was asked.
 */
import { P2pError } from '@p2p/base'
import { idText, type Value } from '@p2p/serializer'

export const questionSubFlag = 0x7051
export const answerSubFlag = 0x7052

/** Questions of ours without an answer; more are refused. */
const maxOpenRequests = 1_024

export interface RemoteRequest {
  readonly packets: readonly Value[]
  /** Id of the neighbour that asks. */
  readonly sender: string
}

/** Answers a question; what it throws is told to the asking node as text. */
export type Responder = (request: RemoteRequest) => readonly Value[] | Promise<readonly Value[]>

interface OpenRequest {
  readonly peer: string
  readonly resolve: (packets: readonly Value[]) => void
  readonly reject: (error: Error) => void
}

export class RemoteRequests {
  readonly #open = new Map<string, OpenRequest>()

  get count(): number {
    return this.#open.size
  }

  /**
   * Writes down a question; `id` is unique. The caller sends it and calls `close` when it gives up.
   *
   * @throws P2pError `P2P_TOO_MANY_REQUESTS`, at once, so that the question is not sent
   */
  open(id: string, peer: string): Promise<readonly Value[]> {
    if (this.#open.size >= maxOpenRequests) {
      const text = `more than ${maxOpenRequests} requests without an answer`
      throw new P2pError('P2P_TOO_MANY_REQUESTS', text)
    }
    return new Promise((resolve, reject) => {
      this.#open.set(id, { peer, resolve, reject })
    })
  }

  close(id: string, error: Error): void {
    const request = this.#open.get(id)
    this.#open.delete(id)
    request?.reject(error)
  }

  closeAll(error: Error): void {
    for (const id of [...this.#open.keys()]) this.close(id, error)
  }

  /** Takes an answer in; one that nobody waits for, or from another node, is ignored. */
  takeAnswer(payload: readonly Value[], from: string): void {
    const [, idValue, ok, ...packets] = payload
    const id = idText(idValue) ?? ''
    const request = this.#open.get(id)
    if (request === undefined || request.peer !== from) return
    this.#open.delete(id)
    if (ok === true) {
      request.resolve(packets)
      return
    }
    const [reason] = packets
    const text = typeof reason === 'string' ? reason : 'no reason given'
    request.reject(new P2pError('P2P_REQUEST_REFUSED', `the peer refused: ${text}`))
  }
}

/** Text would be taken apart into letters. */
export function listOf(packets: readonly Value[]): readonly Value[] {
  if (!Array.isArray(packets)) throw new TypeError('the packets must be a list')
  return packets
}

/** The payload that answers a question with what the responder makes of it. */
export async function answerTo(
  payload: readonly Value[],
  sender: string,
  responder: Responder | undefined,
): Promise<readonly Value[] | undefined> {
  const [, id, ...packets] = payload
  if (idText(id) === undefined || id === undefined) return undefined
  if (responder === undefined) return [answerSubFlag, id, false, 'this node answers no requests']
  try {
    return [answerSubFlag, id, true, ...listOf(await responder({ packets, sender }))]
  } catch (error) {
    const text = error instanceof Error ? error.message : 'the responder failed'
    return [answerSubFlag, id, false, text]
  }
}

/** What goes out in place of an answer that the wire cannot carry. */
export function refusalFor(answer: readonly Value[]): readonly Value[] {
  return [...answer.slice(0, 2), false, 'the answer cannot be sent']
}
