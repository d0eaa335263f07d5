/**
 * Bad input for p2py. Legal oddities and wrong fields decode; the rest is refused with a code. Each
 * input is also given to a node, as the first frame of a link and behind a proper introduction: it
 * must not throw, and answer a sound request afterwards unless it closed the link.
 */
import assert from 'node:assert/strict'
import { isP2pError } from '@p2p/base'
import {
  decodeFrame,
  decodePickle,
  encodeFrame,
  encodePickle,
  P2pyMachine,
  PyRequest,
  PyTuple,
} from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import * as z from 'zod'
import { withinBounds } from '../bounds.ts'
import { caseChecks } from '../fixture-set.ts'
import type { FixtureSet } from '../fixture-set.ts'
import { composeBytes, composedBytes } from '../recorded-bytes.ts'

const malformedCase = z.object({ name: z.string(), category: z.string(), frame: composedBytes })
type MalformedCase = z.infer<typeof malformedCase>

const decodable = new Set(['odd-but-legal', 'field-type'])
/** What Python's int() takes and no p2py writes: both are fine. */
const either = new Set(['lenient-header'])

export const p2pyMalformed: FixtureSet = {
  name: 'p2py/malformed',
  describes: (file) => file.folder === 'p2py' && file.name === 'malformed',
  checks: (file) =>
    caseChecks(file, malformedCase, (fixture) => [
      { name: fixture.name, run: () => checkMalformed(fixture) },
      { name: `${fixture.name} / node`, run: () => checkNode(composeBytes(fixture.frame)) },
    ]),
}

function checkMalformed({ category, frame }: MalformedCase): undefined {
  const code = withinBounds(() => refusalCode(composeBytes(frame)))
  if (either.has(category)) return
  if (decodable.has(category)) assert.equal(code, undefined)
  else assert.match(String(code), /^P2P_(PICKLE|FRAME)_/)
}

function refusalCode(frame: Uint8Array): string | undefined {
  try {
    decodePickle(decodeFrame(frame))
    return undefined
  } catch (error) {
    if (isP2pError(error)) return error.code
    throw error
  }
}

const at = (monoMs: number): { monoMs: number; utcSeconds: number } => ({
  monoMs,
  utcSeconds: 1_500_000_000,
})
const frameOf = (value: PyValue): Uint8Array => encodeFrame(encodePickle(value))
const info = frameOf({ HOST: '127.0.0.1', PORT: 4445, UUID: null })
const test = frameOf(
  new PyRequest(
    new Map<string, PyValue>([
      ['callback_address', new PyTuple(['127.0.0.1', 4445])],
      ['request_id', 'ABC123'],
      ['contents', new Map([['type', 'TEST']])],
    ]),
  ),
)

function checkNode(frame: Uint8Array): undefined {
  for (const isIntroduced of [false, true]) {
    const machine = new P2pyMachine({
      address: { host: '127.0.0.1', port: 4444 },
      randomBytes: (count) => new Uint8Array(count),
    })
    const open = {
      type: 'link-open',
      link: 1,
      transport: 'tcp',
      remote: 'tcp://127.0.0.1:5',
      dial: undefined,
    } as const
    machine.handle(open, at(0))
    const give = (bytes: Uint8Array): readonly { readonly type: string }[] =>
      machine.handle({ type: 'link-bytes', link: 1, bytes }, at(1))
    if (isIntroduced) give(info)
    const effects = withinBounds(() => give(frame))
    const isOver = effects.some(({ type }) => type === 'close') || hasHalfFrame(frame)
    if (isIntroduced && !isOver) {
      assert.ok(
        give(test).some(({ type }) => type === 'send'),
        'a sound request has no answer',
      )
    }
  }
}

/** The next bytes belong to this frame then, so nothing can be asked behind it. */
function hasHalfFrame(frame: Uint8Array): boolean {
  return refusalCode(frame) === 'P2P_FRAME_TRUNCATED'
}
