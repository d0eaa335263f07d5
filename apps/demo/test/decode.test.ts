import { expect, test } from '@jest/globals'
import { createMessage, encodeFrame, toHex } from '@p2p/serializer'
import { decodeHex } from '../src/commands/decode.ts'

const message = createMessage({ type: 0, sender: 'me', time: 1_500_000_000, payload: [0, 'hello'] })
const frame = toHex(encodeFrame(message))

function decode(hex: string): { readonly good: boolean; readonly lines: readonly object[] } {
  const lines: object[] = []
  const good = decodeHex(hex, (line) => lines.push(line))
  return { good, lines }
}

test('each frame becomes a line', () => {
  const { good, lines } = decode(`${frame} \n ${frame}`)
  expect(good).toBe(true)
  expect(lines).toHaveLength(2)
  expect(lines[0]).toEqual({
    ok: true,
    bytes: frame.length / 2,
    id: toHex(message.id),
    type: 'broadcast',
    sender: { t: 'str', v: 'me' },
    time: 1_500_000_000,
    subFlag: 'broadcast',
    packets: [{ t: 'str', v: 'hello' }],
    tail: '',
  })
})

test('a changed byte is a checksum mismatch', () => {
  const { good, lines } = decode(`${frame.slice(0, -2)}00`)
  expect(good).toBe(false)
  expect(lines).toMatchObject([{ ok: false, code: 'P2P_CHECKSUM_MISMATCH' }])
})

test('an unfinished frame is told', () => {
  const { good, lines } = decode(frame.slice(0, -2))
  expect(good).toBe(false)
  expect(lines).toMatchObject([{ ok: false, code: 'P2P_FRAME_LENGTH' }])
})

test('a length beyond the limit is told', () => {
  expect(decode('ffffffff00').lines).toMatchObject([{ ok: false, code: 'P2P_FRAME_TOO_LARGE' }])
})

test('what is no hex is refused', () => {
  for (const wrong of ['', 'abc', 'xy'])
    expect(decode(wrong).lines).toMatchObject([{ ok: false, code: 'P2P_INVALID_ARGUMENT' }])
})
