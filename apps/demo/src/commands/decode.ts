/** `p2p decode HEX`: shows what protocol 0.7 frames say. */
import { FrameSplitter, decodeFrame, toHex } from '@p2p/serializer'
import type { WireMessage } from '@p2p/serializer'
import { describeFailure } from '../node/line-error.ts'
import { valueToTagged } from '../node/tagged-value.ts'
import { mainFlagName, subFlagName } from '../view/describe-frame.ts'

/**
 * One JSON line per frame in these hex digits (blanks are ignored), each with the message or with the
 * code of what is wrong with it. Resolves with whether all of it was whole, readable frames.
 */
export function decodeHex(hex: string, write: (line: object) => void): boolean {
  const digits = hex.replaceAll(/\s+/g, '')
  if (!/^[0-9a-f]+$/i.test(digits) || digits.length % 2 !== 0) {
    write({
      ok: false,
      code: 'P2P_INVALID_ARGUMENT',
      error: 'expected an even number of hex digits',
    })
    return false
  }
  const splitter = new FrameSplitter()
  let good = true
  const attempt = (run: () => object): void => {
    try {
      write({ ok: true, ...run() })
    } catch (error) {
      good = false
      write({ ok: false, ...describeFailure(error) })
    }
  }
  let frames: readonly Uint8Array[] = []
  try {
    frames = splitter.push(Uint8Array.from(Buffer.from(digits, 'hex')))
  } catch (error) {
    write({ ok: false, ...describeFailure(error) })
    return false
  }
  for (const frame of frames)
    attempt(() => ({ bytes: frame.length, ...describeMessage(decodeFrame(frame)) }))
  if (splitter.pendingBytes > 0) {
    good = false
    const error = `${splitter.pendingBytes} bytes of an unfinished frame at the end`
    write({ ok: false, code: 'P2P_FRAME_LENGTH', error })
  }
  return good
}

function describeMessage(message: WireMessage): object {
  const [subFlag, ...packets] = message.payload
  return {
    id: toHex(message.id),
    type: mainFlagName(message),
    sender: valueToTagged(message.sender),
    time: message.time,
    subFlag: subFlagName(message) ?? valueToTagged(subFlag ?? null),
    packets: packets.map(valueToTagged),
    tail: toHex(message.tail),
  }
}
