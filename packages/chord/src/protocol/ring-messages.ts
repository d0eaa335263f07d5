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
 *   record   [id, incarnation, state, isOld, [address…], shift]   state 0 storing, 1 left, 2 gone; the shift,
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

/** In the order of their numbers on the wire. */
const verbs = ['members', 'digest', 'keys', 'news'] as const
const states: readonly MemberState[] = ['storing', 'left', 'gone']

/** Records in one message. */
export const maxRecords = 512
const maxAddresses = 8
const maxTextLength = 300
const maxSums = 256

export type RingMessage =
  | { readonly type: 'members'; readonly members: readonly Member[]; readonly isPassed: boolean }
  | SumsMessage<'digest'>
  | KeysMessage
  | {
      readonly type: 'news'
      readonly keys: readonly Uint8Array[]
      readonly isPassed: boolean
    }

export type KeysMessage = SumsMessage<'keys'>

interface SumsMessage<Type> {
  readonly type: Type
  readonly isAnswer: boolean
  readonly sums: readonly number[]
}

/** Undefined when it cannot be read. */
export function readRingMessage(payload: readonly Value[]): RingMessage | undefined {
  const [, verb, first, second] = payload
  const type = verbs[wholeNumber(verb) ?? -1]
  const isNews = type === 'members' || type === 'news'
  const [list, mark] = isNews ? [first, second] : [second, first]
  if (!Array.isArray(list)) return undefined
  const isMarked = mark === true
  switch (type) {
    case 'members':
      return { type, members: list.slice(0, maxRecords).flatMap(readRecord), isPassed: isMarked }
    case 'news':
      return { type, keys: list.filter((key) => key instanceof Uint8Array), isPassed: isMarked }
    case 'digest':
    case 'keys': {
      const sums = list.slice(0, maxSums).map((sum: Value) => wholeNumber(sum) ?? 0)
      return { type, isAnswer: isMarked, sums }
    }
    default:
      return undefined
  }
}

function readRecord(record: Value): readonly Member[] {
  if (!Array.isArray(record)) return []
  const [id, incarnation, state, isOld, addresses, shift] = record as readonly Value[]
  const text = idText(id ?? null)
  const made = wholeNumber(incarnation)
  const named = states[wholeNumber(state) ?? -1]
  if (text === undefined || made === undefined || named === undefined) return []
  if (text.length > maxTextLength || !Array.isArray(addresses)) return []
  const texts = addresses
    .slice(0, maxAddresses)
    .filter((address) => typeof address === 'string' && address.length <= maxTextLength)
  return [
    {
      id: text,
      incarnation: made,
      state: named,
      isOld: isOld === true,
      addresses: texts,
      // Old ones stand at their ids.
      shift: (isOld !== true && wholeNumber(shift)) || 0,
    },
  ]
}

export function membersPayload(members: readonly Member[], isPassed = false): readonly Value[] {
  const records = members.map(({ id, incarnation, state, isOld, addresses, shift = 0 }) => [
    id,
    incarnation,
    states.indexOf(state),
    isOld,
    [...addresses],
    ...(shift === 0 ? [] : [shift]),
  ])
  return [ringFlag, verbs.indexOf('members'), records, isPassed]
}

export function keyNewsPayload(keys: readonly Uint8Array[], isPassed = false): readonly Value[] {
  return [ringFlag, verbs.indexOf('news'), [...keys], isPassed]
}

/** Sums over the view of the ring, or over the list of all keys. */
export function sumsPayload(
  of: 'digest' | 'keys',
  isAnswer: boolean,
  sums: readonly number[],
): readonly Value[] {
  return [ringFlag, verbs.indexOf(of), isAnswer, [...sums]]
}
