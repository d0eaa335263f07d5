/** The pickle reader and the node of @p2p/p2py-compat: nothing is ever thrown but a P2pError. */
import assert from 'node:assert/strict'
import { isP2pError } from '@p2p/base'
import { decodePickle, encodeFrame, encodePickle, P2pyMachine, PyTuple } from '@p2p/p2py-compat'
import type { PyValue } from '@p2p/p2py-compat'
import { mutate } from '../mutate.ts'
import type { Random } from '../random.ts'
import type { Target } from '../target.ts'
import { pickleProgram } from './pickle-programs.ts'

/** Opcodes that the reader knows, and characters that text opcodes need. */
const opcodes = [
  ..."(.012BCFGIJKLMNRSTUVX]abcdeghjlpqrstu})\n'0",
  ...'\x80\x81\x85\x86\x87\x88\x89',
]
  .join('')
  .concat('\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95\x96')

const info = encodePickle({ HOST: '127.0.0.1', PORT: 4445, UUID: 1 })
const values: readonly PyValue[] = [
  { type: 'JOIN REQUEST', data: { address: new PyTuple(['127.0.0.1', 4445]) } },
  { type: 'NEW PEER', data: { UUID: 2, Address: new PyTuple(['127.0.0.1', 4446]) } },
  { type: 'PEER LEFT', data: { UUID: 2 } },
  { type: 'TEXT', data: [1, 2n ** 70n, 0.5, new Uint8Array(9), new Set([1]), null, true, 'x'] },
]
const pickles = [info, ...values.map(encodePickle)]

function hostilePickle(random: Random): Uint8Array {
  if (random.chance(3)) return mutate(random.pick(pickles), random)
  if (random.chance(2)) return pickleProgram(random)
  const bytes = random.bytes(random.below(100))
  return bytes.map((byte) => (byte % 3 === 0 ? byte : opcodes.charCodeAt(byte % opcodes.length)))
}

function readPickle(pickle: Uint8Array): void {
  let value: PyValue
  try {
    value = decodePickle(pickle)
  } catch (error) {
    assert.ok(isP2pError(error) && error.code.startsWith('P2P_PICKLE_'), String(error))
    return
  }
  // What was read can be written, and means the same again.
  const written = encodePickle(value)
  assert.deepEqual(encodePickle(decodePickle(written)), written)
}

/** A node gets the bytes as frames on a new link, and on one whose peer has introduced itself. */
function feedNode(pickle: Uint8Array): void {
  for (const frames of [[pickle], [info, pickle, pickle]]) {
    const machine = new P2pyMachine({
      address: { host: '127.0.0.1', port: 4444 },
      randomBytes: (count) => new Uint8Array(count),
    })
    const now = { monoMs: 0, utcSeconds: 1_500_000_000 }
    const remote = 'tcp://127.0.0.1:4445'
    machine.handle({ type: 'link-open', link: 1, transport: 'tcp', remote, dial: undefined }, now)
    for (const frame of frames) {
      machine.handle({ type: 'link-bytes', link: 1, bytes: encodeFrame(frame) }, now)
    }
  }
}

export const p2pyTargets: readonly Target[] = [
  { name: 'p2py-pickle', input: hostilePickle, run: readPickle },
  { name: 'p2py-node', input: hostilePickle, run: feedNode },
]
