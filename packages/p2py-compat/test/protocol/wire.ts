// Bytes and frames as a hand-driven peer of a machine writes and reads them.
import { isP2pError } from '@p2p/base'
import { decodePickle } from '../../src/pickle/reader.ts'
import type { PyValue } from '../../src/pickle/values.ts'
import { encodePickle } from '../../src/pickle/writer.ts'
import { FrameSplitter } from '../../src/protocol/frame.ts'
import { encodeMessage, type OutgoingMessage } from '../../src/protocol/messages.ts'

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** The code of the P2pError that `run` throws; undefined when it throws none. */
export function codeThrown(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    if (isP2pError(error)) return error.code
    throw error
  }
  return undefined
}

/** A message as its reader sees it. */
export function onWire(message: OutgoingMessage): PyValue {
  return decodePickle(encodePickle(encodeMessage(message)))
}

/** Values in the frames that these effects send over one link, in order. */
export function sentOver(
  link: number,
  effects: readonly { readonly type: string }[],
): readonly PyValue[] {
  const splitter = new FrameSplitter()
  return effects
    .filter(isSend)
    .filter((effect) => effect.link === link)
    .flatMap(({ bytes }) => splitter.push(bytes))
    .map((pickle) => decodePickle(pickle))
}

interface Send {
  readonly type: 'send'
  readonly link: number
  readonly bytes: Uint8Array
}

function isSend(effect: { readonly type: string }): effect is Send {
  return effect.type === 'send'
}
