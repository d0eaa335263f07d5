/** base58 of integers, network ids and node ids, with the exact bytes that are hashed. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  decodeBase58Integer,
  encodeBase58Integer,
  networkId,
  nodeId,
  protocolVersion,
} from '@p2p/serializer'
import * as z from 'zod'
import { caseChecks } from '../fixture-set.ts'
import type { FixtureSet, Verdict } from '../fixture-set.ts'
import { bytesFromHex } from '../recorded-bytes.ts'

const decimal = z.string().regex(/^\d+$/)
const nodeIdOfOne = z.object({ hashed: z.string(), id: z.string() })

const idCase = z.discriminatedUnion('kind', [
  z.object({ name: z.string(), kind: z.literal('base58'), int: decimal, text: z.string() }),
  z.object({
    name: z.string(),
    kind: z.literal('unbase58'),
    text: z.string(),
    int: decimal,
    again: z.string(),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('unbase58-bad'),
    text: z.string(),
    py2p: z.union([decimal, z.object({ error: z.string() })]),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('protocol'),
    subnet: z.string(),
    encryption: z.string(),
    version: z.string().optional(),
    sha256: z.string(),
    id: z.string(),
  }),
  z.object({
    name: z.string(),
    kind: z.literal('node'),
    addr: z.tuple([z.string(), z.number()]),
    salt: z.string(),
    protocol_id: z.string(),
    py2p: nodeIdOfOne,
    js2p: nodeIdOfOne,
  }),
])

export const ids: FixtureSet = {
  name: 'ids',
  describes: (file) => file.name === 'ids' && file.folder !== 'legacy',
  checks: (file) =>
    caseChecks(file, idCase, (fixture) => [{ name: fixture.name, run: () => checkId(fixture) }]),
}

function checkId(fixture: z.infer<typeof idCase>): Verdict | undefined {
  switch (fixture.kind) {
    case 'base58':
      assert.equal(encodeBase58Integer(BigInt(fixture.int)), fixture.text)
      assert.equal(decodeBase58Integer(fixture.text), BigInt(fixture.int))
      return undefined
    case 'unbase58':
      assert.equal(decodeBase58Integer(fixture.text), BigInt(fixture.int))
      assert.equal(encodeBase58Integer(BigInt(fixture.int)), fixture.again)
      return undefined
    case 'unbase58-bad':
      if (typeof fixture.py2p === 'string') {
        assert.equal(decodeBase58Integer(fixture.text), BigInt(fixture.py2p))
      } else {
        assert.throws(() => decodeBase58Integer(fixture.text), { code: 'P2P_BASE58_INVALID' })
      }
      return undefined
    case 'protocol': {
      const version = fixture.version ?? protocolVersion
      assert.equal(networkId({ ...fixture, version }), fixture.id)
      assert.equal(encodeBase58Integer(bytesFromHex(fixture.sha256)), fixture.id)
      return undefined
    }
    case 'node': {
      const [host, port] = fixture.addr
      const node = { host, port, networkId: fixture.protocol_id, salt: fixture.salt }
      assert.equal(nodeId({ ...node, addressStyle: 'py2p' }), fixture.py2p.id, 'py2p')
      assert.equal(nodeId({ ...node, addressStyle: 'js2p' }), fixture.js2p.id, 'js2p')
      for (const { hashed, id } of [fixture.py2p, fixture.js2p]) {
        const digest = createHash('sha384').update(bytesFromHex(hashed)).digest()
        assert.equal(encodeBase58Integer(digest), id, 'digest')
      }
      return undefined
    }
  }
}
