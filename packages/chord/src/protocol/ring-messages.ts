/**
 * What nodes of ours tell each other of the ring.
 *
 *   members  broadcast or whisper  [0x7060, 0, [record…], isNews] what is news, to be passed on when it was
 *                                                                 whispered, or what was asked for
 *   digest   whisper               [0x7060, 1, isAnswer, sums]    "tell me where you know otherwise"
 *   keys     whisper               [0x7060, 2, isAnswer, sums]    the same of the list of all keys: one sum
 *                                                                 over all of it, or one for each bucket
 *   news     broadcast or whisper  [0x7060, 3, [key…], isNews]    keys that are there; to be passed on as above
 *
 *   record   [id, incarnation, state, isOld, [address…], salt]    state 0 storing, 1 left, 2 gone; the salt,
 *                                                                 which says where it stands, only if not 0
 *
 * Old programs pass the broadcast on and do nothing else with it (spec/capabilities.md, 2.2).
 */
import { idText, wholeNumber } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'
import type { Member, MemberState } from './ring-view.ts'

export const ringFlag = 0x7060
/** Extension named in the hello. */
export const replicaFeature = 'chord-replicas'

const verbs = { members: 0, digest: 1, keys: 2, news: 3 } as const
const states: readonly MemberState[] = ['storing', 'left', 'gone']

/** Records in one message. */
export const maxRecords = 512
const maxAddresses = 8
const maxTextLength = 300
const maxSums = 64

export type RingMessage =
  | { readonly type: 'members'; readonly members: readonly Member[]; readonly isPassed: boolean }
  | { readonly type: 'digest'; readonly isAnswer: boolean; readonly sums: readonly number[] }
  | KeysMessage
  | {
      readonly type: 'news'
      readonly keys: readonly Uint8Array[]
      readonly isPassed: boolean
    }

export interface KeysMessage {
  readonly type: 'keys'
  readonly isAnswer: boolean
  readonly sums: readonly number[]
}

/** Undefined when it cannot be read. */
export function readRingMessage(payload: readonly Value[]): RingMessage | undefined {
  const [, verb, first, second] = payload
  switch (wholeNumber(verb)) {
    case verbs.members:
      if (!Array.isArray(first)) return undefined
      return {
        type: 'members',
        members: first.slice(0, maxRecords).flatMap(readRecord),
        isPassed: second === true,
      }
    case verbs.digest:
      return readSums('digest', first, second)
    case verbs.keys:
      return readSums('keys', first, second)
    case verbs.news:
      if (!Array.isArray(first)) return undefined
      return {
        type: 'news',
        keys: first.filter((key) => key instanceof Uint8Array),
        isPassed: second === true,
      }
    default:
      return undefined
  }
}

function readSums(
  type: 'digest' | 'keys',
  isAnswer: Value | undefined,
  sums: Value | undefined,
): RingMessage | undefined {
  if (!Array.isArray(sums)) return undefined
  const numbers = sums.slice(0, maxSums).map((sum: Value) => wholeNumber(sum) ?? 0)
  return { type, isAnswer: isAnswer === true, sums: numbers }
}

function readRecord(record: Value): readonly Member[] {
  if (!Array.isArray(record)) return []
  const [id, incarnation, state, isOld, addresses, salt] = record as readonly Value[]
  const text = idText(id ?? null)
  const made = wholeNumber(incarnation)
  const named = states[wholeNumber(state) ?? -1]
  if (text === undefined || made === undefined || named === undefined) return []
  if (text.length > maxTextLength || !Array.isArray(addresses)) return []
  const texts = addresses
    .slice(0, maxAddresses)
    .filter((address) => typeof address === 'string')
    .filter((address) => address.length <= maxTextLength)
  return [
    {
      id: text,
      incarnation: made,
      state: named,
      isOld: isOld === true,
      addresses: texts,
      // Old ones stand at their ids.
      salt: (isOld !== true && wholeNumber(salt)) || 0,
    },
  ]
}

export function membersPayload(members: readonly Member[], isPassed = false): readonly Value[] {
  const records = members.map(({ id, incarnation, state, isOld, addresses, salt = 0 }) => [
    id,
    incarnation,
    states.indexOf(state),
    isOld,
    [...addresses],
    ...(salt === 0 ? [] : [salt]),
  ])
  return [ringFlag, verbs.members, records, isPassed]
}

export function digestPayload(isAnswer: boolean, sums: readonly number[]): readonly Value[] {
  return [ringFlag, verbs.digest, isAnswer, [...sums]]
}

export function keyNewsPayload(keys: readonly Uint8Array[], isPassed = false): readonly Value[] {
  return [ringFlag, verbs.news, [...keys], ...(isPassed ? [true] : [])]
}

export function keysPayload(isAnswer: boolean, sums: readonly number[]): readonly Value[] {
  return [ringFlag, verbs.keys, isAnswer, [...sums]]
}
