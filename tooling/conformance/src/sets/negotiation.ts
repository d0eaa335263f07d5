/**
 * Compression lists: what two lists have in common, and which method a sender chooses. What happens on
 * a link (renegotiate, resend, frames that cannot be read) stands in `negotiation-link.ts`.
 */
import assert from 'node:assert/strict'
import { intersect, negotiate } from '@p2p/serializer'
import * as z from 'zod'
import { caseChecks, differs } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import {
  checkRenegotiate,
  checkUnreadable,
  renegotiateCase,
  unreadableCase,
} from './negotiation-link.ts'

const entry = z.union([z.number(), z.string(), z.boolean()])
const methods = z.array(z.number())

const negotiationCase = z.union([
  z.object({
    name: z.string(),
    kind: z.literal('intersect'),
    lists: z.array(z.array(entry)),
    py2p: z.array(entry),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('used'),
    local: methods,
    remote: methods,
    py2p: z.number().nullable(),
  }),
  renegotiateCase,
  unreadableCase,
])

export const negotiation: FixtureSet = {
  name: 'negotiation',
  describes: (file) => file.name === 'negotiation',
  checks: (file) =>
    caseChecks(file, negotiationCase, (fixture) => [
      { name: fixture.name, run: () => checkNegotiation(fixture) },
    ]),
}

function checkNegotiation(fixture: z.infer<typeof negotiationCase>): Verdict | undefined {
  switch (fixture.kind) {
    case 'intersect': {
      const [first = [], ...others] = fixture.lists
      const common = intersect(first, ...others)
      if (fixture.lists.flat().some((method) => typeof method === 'boolean')) {
        assert.ok(common.every((method) => others.every((list) => list.includes(method))))
        return differs('python-equality')
      }
      assert.deepEqual(common, fixture.py2p)
      return undefined
    }
    case 'used':
      assert.equal(negotiate(fixture.local, fixture.remote) ?? null, fixture.py2p)
      return undefined
    case 'renegotiate':
      return checkRenegotiate(fixture)
    case 'unreadable':
      return checkUnreadable(fixture)
  }
}
