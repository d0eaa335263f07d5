/**
 * Encode + frame, and deframe + verify + decode, of one message: ours beside js2p, the usual msgpack
 * packages, and the least work that any JavaScript code could do (limit-contender.ts).
 */
import { fromHex, toHex } from '@p2p/serializer'
import type { Figure, Report, Suite } from '../figure.ts'
import { measure } from '../measure.ts'
import { measureInBrowser } from './browser.ts'
import { cases } from './cases.ts'
import type { Case } from './cases.ts'
import type { Contender } from './contender.ts'
import { foreignContenders } from './foreign-contenders.ts'
import { limitContender } from './limit-contender.ts'
import { ours } from './our-contender.ts'

const options = { quietRounds: 150, maxRounds: 1_500, roundMs: 2 }

export const serializerSuite: Suite = {
  name: 'serializer',
  async run(report, note) {
    const contenders = [ours, limitContender, ...(await foreignContenders())]
    for (const [index, item] of cases.entries()) {
      note(`serializer ${item.name} (${index + 1} of ${cases.length})`)
      checkSameMeaning(item, contenders)
      measureCase(item, contenders, report)
    }
    await measureInBrowser(report, note)
  },
}

/** A contender that does not do the work would win every benchmark. */
function checkSameMeaning(item: Case, contenders: readonly Contender[]): void {
  const expected = ours.encode(item.fields)
  for (const contender of contenders) {
    const frame = contender.encode(item.fields)
    const data = contender.decode(received(frame, contender))
    const again = ours.encode({ ...item.fields, payload: [0, plain(data)] })
    if (toHex(again) !== toHex(expected))
      throw new Error(`${contender.name} decodes ${item.name} wrongly`)
  }
}

/** The frame as it would come from a socket. */
function received(frame: Uint8Array, contender: Contender): Uint8Array {
  return contender.takes === 'Buffer' ? Buffer.from(frame) : new Uint8Array(frame)
}

/** The same value without Buffers and prototypes of others. */
function plain(data: unknown): unknown {
  if (data instanceof Uint8Array) return fromHex(toHex(data))
  return { ...(data as object) }
}

function measureCase(item: Case, contenders: readonly Contender[], report: Report): void {
  const work = contenders.map((contender) => ({
    contender,
    frame: received(contender.encode(item.fields), contender),
  }))
  const metrics = {
    encode: work.map(({ contender }) => ({
      name: contender.name,
      run: () => contender.encode(item.fields),
    })),
    decode: work.map(({ contender, frame }) => ({
      name: contender.name,
      run: () => contender.decode(frame),
    })),
    roundtrip: work.map(({ contender }) => ({
      name: contender.name,
      run: () => contender.decode(contender.encode(item.fields)),
    })),
  }
  for (const [metric, subjects] of Object.entries(metrics)) {
    for (const [subject, value] of measure(subjects, options)) {
      const figure: Figure = {
        suite: 'serializer',
        case: item.name,
        subject,
        metric,
        value: Math.round(value),
        unit: 'ops/s',
      }
      report(figure)
    }
  }
}
