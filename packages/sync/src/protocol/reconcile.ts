/**
 * Two replicas find out what one knows and the other does not, and tell each other.
 *
 * Theory of operation. The two sides take turns. The opener sends fingerprints of the sixteen parts of
 * the whole id space. Whoever gets fingerprints compares them with its own: a part that differs is
 * answered with the fingerprints of its sixteen parts, or, when this side has few items there, with
 * the list of them. Whoever gets a list sends what the list lacks and asks for what it lacks itself. A
 * side that has nothing to ask ends the comparison. Equal replicas need one turn and an empty answer;
 * a hundred differences among 100,000 items are settled in six turns.
 *
 * A side that knows little lists it all in its first turn. One that knows nothing is simply given
 * everything, in no order: nothing is hashed or sorted for it.
 *
 * Records go out in turns of bounded size, one at a time, so that a large difference neither fills a
 * link nor holds up what else travels on it. Nothing that the other side sends can make us keep more
 * than our own snapshot and the ids of our own items, nor look at all items more than twice in a comparison.
 *
 * Source: A. Meyer, "Range-Based Set Reconciliation", 2023.
 */
import type { Comparable, Item } from './item-index.ts'
import { RangeSums } from './ranges.ts'
import type { Fingerprint, FingerprintKey, Span } from './ranges.ts'
import { decodeRecords, encodeRecords, maxBlockRecords } from './records.ts'
import type { WriteRecord } from './records.ts'
import type { Compare, Listing, Turn } from './turn.ts'

/** A part with at most this many items of ours is listed, not split: at 100,000 items that saves a turn. */
export const listedItems = 64

/** Bytes of keys and values in one turn: small enough for a slow link, large enough for a fast one. */
const recordBytesPerTurn = 256 * 1024

/** Ranges read in one turn, or answered; the rest of the difference is found by the next comparison. */
const rangesPerTurn = 4_096

export interface Answer {
  /** What to send back; undefined when the comparison is over. */
  readonly turn: Turn | undefined
  /** What the other side told us; undefined when it made no sense, which ends the comparison. */
  readonly records: readonly WriteRecord[] | undefined
}

interface Everything {
  readonly rest: Iterator<WriteRecord, undefined>
  /** The first of it; undefined when there is no more. */
  next: WriteRecord | undefined
}

export class Comparison {
  readonly number: number
  readonly #key: FingerprintKey
  readonly #ours: Comparable
  #sumsOfOurs: RangeSums | undefined
  readonly #byName = new Map<string, Item>()
  /** Items the other side lacks, not sent yet. */
  readonly #outgoing = new Set<Item>()
  /** Items of ours in the ranges that this turn compared so far. */
  #comparedCount = 0
  /** Items of ours in the ranges that were listed to us so far, each of which is listed once. */
  #listedCount = 0
  /** For a side that has nothing: what it was not sent yet. */
  #everything: Everything | undefined
  /** True once one side was seen to have something the other had not. */
  differed = false

  /** True when this side had nothing and asked for everything. */
  isFilling = false

  constructor(number: number, key: FingerprintKey, ours: Comparable) {
    this.number = number
    this.#key = key
    this.#ours = ours
  }

  /** The opener's first turn. */
  open(): Turn {
    const isShort = this.#ours.keyCount <= listedItems && this.#sums.snapshot.length <= listedItems
    this.isFilling = this.#ours.keyCount === 0
    const first = isShort ? { list: [this.#list([])] } : { compare: [this.#compare([])] }
    return { ...this.#turn(first), key: this.#key }
  }

  answer(turn: Turn): Answer {
    const records = turn.records.length === 0 ? [] : decodeRecords(turn.records)
    if (records === undefined) return { turn: undefined, records: undefined }
    const compare: Compare[] = []
    const list: Listing[] = []
    const want: Fingerprint[] = []
    this.#comparedCount = 0
    for (const range of turn.compare.slice(0, rangesPerTurn)) this.#onCompare(range, compare, list)
    for (const range of turn.list.slice(0, rangesPerTurn)) this.#onList(range, want)
    for (const id of turn.want) {
      const item = this.#byName.get(nameOf(id))
      if (item !== undefined) this.#outgoing.add(item)
    }
    if (records.length > 0 || this.#outgoing.size > 0 || this.#everything?.next !== undefined) {
      this.differed = true
    }
    const asked = turn.compare.length + turn.list.length + turn.want.length > 0 || turn.more
    const reply = this.#turn({ compare, list, want })
    const isEmpty = compare.length + list.length + want.length + reply.records.length === 0
    // An empty turn is still owed to a side that asked; one that did not ask takes it as the end.
    return { turn: asked || !isEmpty ? reply : undefined, records }
  }

  #turn(parts: Partial<Pick<Turn, 'compare' | 'list' | 'want'>>): Turn {
    const records = this.#takeOutgoing()
    return {
      comparison: this.number,
      key: undefined,
      compare: parts.compare ?? [],
      list: parts.list ?? [],
      want: parts.want ?? [],
      records: records.length === 0 ? new Uint8Array(0) : encodeRecords(records),
      more: this.#outgoing.size > 0 || this.#everything?.next !== undefined,
    }
  }

  /** Of our items as they were when this was first asked for. */
  get #sums(): RangeSums {
    this.#sumsOfOurs ??= new RangeSums(this.#ours.snapshot(), this.#key)
    return this.#sumsOfOurs
  }

  #takeOutgoing(): readonly WriteRecord[] {
    const records: WriteRecord[] = []
    let bytes = 0
    const take = (record: WriteRecord): void => {
      bytes += record.key.length + record.write.value.length
      records.push(record)
    }
    const isFull = (): boolean => bytes >= recordBytesPerTurn || records.length >= maxBlockRecords
    for (const item of this.#outgoing) {
      if (isFull()) break
      take(item.record)
      this.#outgoing.delete(item)
    }
    const everything = this.#everything
    while (everything?.next !== undefined && !isFull()) {
      take(everything.next)
      everything.next = everything.rest.next().value
    }
    return records
  }

  #compare(prefix: readonly number[]): Compare {
    return { prefix, ids: this.#sums.parts(prefix).map((part) => this.#sums.fingerprint(part)) }
  }

  #onCompare({ prefix, ids }: Compare, compare: Compare[], list: Listing[]): void {
    const span = this.#sums.span(prefix)
    this.#comparedCount += span.end - span.start
    // Ranges with more items than there are overlap.
    if (this.#comparedCount > this.#sums.snapshot.length) return
    if (compare.length + list.length >= rangesPerTurn) return
    this.#sums.parts(prefix, span).forEach((part, digit) => {
      const ours = this.#sums.fingerprint(part)
      const theirs = ids[digit]
      if (theirs === undefined || (theirs.a === ours.a && theirs.b === ours.b)) return
      this.differed = true
      const inner = [...prefix, digit]
      if (part.end - part.start <= listedItems) list.push(this.#list(inner, part))
      else compare.push(this.#compare(inner))
    })
  }

  #list(prefix: readonly number[], span: Span = this.#sums.span(prefix)): Listing {
    return { prefix, ids: this.#name(span) }
  }

  #onList({ prefix, ids }: Listing, want: Fingerprint[]): void {
    if (prefix.length === 0 && ids.length === 0) {
      const rest = this.#ours.records()
      this.#everything = { rest, next: rest.next().value }
      return
    }
    const span = this.#sums.span(prefix)
    this.#listedCount += span.end - span.start
    if (this.#listedCount > this.#sums.snapshot.length) return
    this.differed = true
    const theirs = new Set(ids.map(nameOf))
    for (let at = span.start; at < span.end; at++) {
      const item = this.#sums.snapshot[at]
      if (item !== undefined && !theirs.delete(nameOf(this.#sums.name(at))))
        this.#outgoing.add(item)
    }
    for (const id of ids) if (theirs.has(nameOf(id))) want.push(id)
  }

  /** The names of our items in a span, by which they can be asked for from now on. */
  #name({ start, end }: Span): readonly Fingerprint[] {
    return this.#sums.snapshot.slice(start, end).map((item, index) => {
      const id = this.#sums.name(start + index)
      this.#byName.set(nameOf(id), item)
      return id
    })
  }
}

function nameOf({ a, b }: Fingerprint): string {
  return `${a} ${b}`
}
