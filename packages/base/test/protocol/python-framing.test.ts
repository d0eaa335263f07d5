import { describe, expect, test } from '@jest/globals'
import { decodeFrame } from '@p2p/serializer'
import fc from 'fast-check'
import { PythonFraming } from '../../src/protocol/python-framing.ts'

/** Sends frames of these lengths, one list per write; gives the frames of each write with fillers. */
function frameWrites(writes: readonly (readonly number[])[]): number[][] {
  const framing = new PythonFraming(0)
  return writes.map((frames) => {
    framing.beginWrite()
    return frames.flatMap((frameBytes) =>
      framing.frames(new Uint8Array(frameBytes)).map((frame) => frame.length),
    )
  })
}

/**
 * py2p's reader as it was observed: pieces of at most 1,024 bytes; four bytes left behind a finished
 * frame are fatal. `drained[i]` tells whether it had read everything when write i began.
 */
function pythonSurvives(
  writes: readonly (readonly number[])[],
  drained: readonly boolean[],
): boolean {
  const bursts: number[][] = []
  writes.forEach((frames, index) => {
    if (index === 0 || drained[index]) bursts.push([...frames])
    else bursts[bursts.length - 1]?.push(...frames)
  })
  for (const frames of bursts) {
    const total = frames.reduce((sum, length) => sum + length, 0)
    let frameEnd = 0
    for (const length of frames) {
      frameEnd += length
      const readEnd = Math.min(Math.ceil(frameEnd / 1024) * 1024, total)
      if (readEnd - frameEnd === 4) return false
    }
  }
  return true
}

describe('PythonFraming', () => {
  test('the model of the reader knows the trap', () => {
    expect(pythonSurvives([[1020, 50]], [true])).toBe(false)
    expect(pythonSurvives([[1019, 50]], [true])).toBe(true)
    expect(pythonSurvives([[1020], [50]], [true, false])).toBe(false)
  })

  test('leaves a stream alone that is clear of the trap', () => {
    expect(frameWrites([[100, 200], [300]])).toEqual([[100, 200], [300]])
  })

  test('shifts a frame that would end 1,020 bytes behind the start of a write', () => {
    const fillerBytes = frameWrites([[1020]])[0]?.[0] ?? 0
    expect(frameWrites([[1020]])).toEqual([[fillerBytes, 1020]])
    expect(frameWrites([[500], [520]])).toEqual([[500], [fillerBytes, 520]])
    expect(frameWrites([[100, 920]])).toEqual([[100, fillerBytes, 920]])
  })

  test('a filler is a frame that can be read, of exactly the length that is needed', () => {
    const framing = new PythonFraming(0)
    framing.beginWrite()
    const [filler, frame] = framing.frames(new Uint8Array(1020))
    expect(frame?.length).toBe(1020)
    expect(decodeFrame(filler ?? new Uint8Array(0)).payload).toEqual([0x7034, 0])
  })

  test('no stream of writes trips the reader, wherever it had drained its socket', () => {
    const write = fc.array(fc.integer({ min: 60, max: 3000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(
        fc.array(write, { minLength: 1, maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (writes, drained) => {
          expect(pythonSurvives(frameWrites(writes), drained)).toBe(true)
        },
      ),
    )
  })

  test('no stream trips the reader that comes back after a minute without a network', () => {
    const lengths = fc.array(fc.integer({ min: 60, max: 1500 }), { minLength: 80, maxLength: 80 })
    fc.assert(
      fc.property(lengths, (all) => {
        const framing = new PythonFraming(0)
        const writes = all.map((frameBytes) => {
          framing.beginWrite()
          return framing.frames(new Uint8Array(frameBytes)).map((frame) => frame.length)
        })
        const drained = all.map((_, second) => second <= 1)
        expect(pythonSurvives(writes, drained)).toBe(true)
      }),
    )
  })

  test('a reader that had not read the handshake yet is not tripped by what follows it', () => {
    const handshakeBytes = 248
    const framing = new PythonFraming(handshakeBytes)
    framing.beginWrite()
    const lengths = framing.frames(new Uint8Array(1020 - handshakeBytes)).map((one) => one.length)
    expect(pythonSurvives([[handshakeBytes], [...lengths, 100]], [true, false])).toBe(true)
    expect(lengths.length).toBe(2)
  })

  test('forgets where the oldest of many writes began: the reader has caught up with it', () => {
    const partsAfter = (writeCount: number): number => {
      const framing = new PythonFraming(0)
      framing.frames(new Uint8Array(4))
      for (let write = 0; write < writeCount; write += 1) framing.beginWrite()
      // Ends 1,020 bytes behind the very first start.
      return framing.frames(new Uint8Array(1016)).length
    }
    expect(partsAfter(255)).toBe(2)
    expect(partsAfter(256)).toBe(1)
  })

  test('remembers a bounded number of write starts, so that there is always a way out', () => {
    const framing = new PythonFraming(0)
    for (let write = 1; write <= 5_000; write += 1) {
      framing.beginWrite()
      const lengths = framing.frames(new Uint8Array(61)).map((frame) => frame.length)
      expect(lengths.length).toBeLessThanOrEqual(2)
      expect(lengths[0]).toBeLessThan(300)
    }
  })
})
