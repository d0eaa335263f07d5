/**
 * A storm over the shipped merge code: nodes with wrong clocks write, delete and patch a few keys while
 * partitions come and go, messages overtake each other, and nodes die and come back, with their store
 * or without. Then everything heals, nodes compare what they know in random pairs, and the accounts
 * are settled.
 *
 * What the judge knows is kept apart from what the replicas know: for every acknowledged write the set
 * of writes its author had really seen, and for every life of a node all it was ever told.
 */
import { encodeValue } from '@p2p/serializer'
import { textToByteText } from '../../src/protocol/byte-text.ts'
import type { ByteText } from '../../src/protocol/byte-text.ts'
import { isMapping, readFields } from '../../src/protocol/delta.ts'
import { currentLease, leaseSeconds } from '../../src/protocol/lease.ts'
import { decodeRecords, encodeRecords } from '../../src/protocol/records.ts'
import type { WriteRecord } from '../../src/protocol/records.ts'
import { Replica } from '../../src/protocol/replica.ts'
import { defaultReplicaLimits } from '../../src/protocol/replica-limits.ts'
import type { Origin } from '../../src/protocol/replica.ts'
import type { Write, WriteKind } from '../../src/protocol/write.ts'
import { Random } from '../random.ts'

export interface Storm {
  readonly seed: number
  readonly nodes: number
  readonly partitions: number
  readonly writes: number
  readonly keys: number
  /** Simulated seconds during which writes happen. */
  readonly spanSeconds: number
  readonly partitionSeconds: number
  readonly maxSkewSeconds: number
  readonly restarts: number
  readonly leasing: boolean
}

export interface Aftermath {
  readonly acknowledged: number
  readonly refused: number
  readonly conflicts: number
  /** Keys in which two nodes differ, in state or in what they know. */
  readonly diverged: number
  /** Acknowledged writes that are gone although nobody overwrote them knowingly, and no conflict told. */
  readonly lostSilently: number
  /** Exchanges of two nodes until all knew the same. */
  readonly exchanges: number
}

/** One write as the judge sees it. */
interface Account {
  readonly key: ByteText
  readonly write: Write
  /** All writes its author had been told of, directly or through others. */
  readonly seen: ReadonlySet<Account>
  reported: boolean
}

interface Node {
  owner: ByteText
  replica: Replica
  readonly skew: number
  group: number
  /** What this life was told, and what was told to those it heard it from. */
  told: Set<Account>
}

interface Planned {
  readonly at: number
  readonly order: number
  readonly run: (now: number) => void
}

export function runStorm(storm: Storm): Aftermath {
  return new StormRun(storm).run()
}

const start = 1_500_000_000

class StormRun {
  readonly storm: Storm
  readonly random: Random
  readonly nodes: Node[]
  readonly accounts: Account[] = []
  readonly plan: Planned[] = []
  readonly keys: readonly ByteText[]
  refused = 0
  conflicts = 0
  exchanges = 0
  lives = 0

  constructor(storm: Storm) {
    this.storm = storm
    this.random = new Random(storm.seed)
    this.keys = Array.from({ length: storm.keys }, (_, i) => textToByteText(`key ${i}`))
    const skew = (): number =>
      this.random.below(2 * storm.maxSkewSeconds + 1) - storm.maxSkewSeconds
    this.nodes = Array.from({ length: storm.nodes }, () => ({
      owner: this.#newOwner(),
      replica: this.#newReplica(),
      skew: skew(),
      group: 0,
      told: new Set<Account>(),
    }))
  }

  #newOwner(): ByteText {
    return textToByteText(`${this.random.below(100)} life ${this.lives++}`)
  }

  #newReplica(): Replica {
    return new Replica({ leasing: this.storm.leasing, leaseSeconds }, defaultReplicaLimits)
  }

  run(): Aftermath {
    const { writes, spanSeconds, partitions, partitionSeconds, restarts } = this.storm
    for (let i = 0; i < writes; i++)
      this.#at(this.random.below(spanSeconds), (now) => this.#write(now))
    for (let i = 0; i < partitions; i++) {
      const from = this.random.below(spanSeconds - partitionSeconds)
      this.#at(from, () => this.nodes.forEach((node) => (node.group = this.random.below(2))))
      this.#at(from + partitionSeconds, (now) => this.#heal(now))
    }
    for (let i = 0; i < restarts; i++) {
      this.#at(this.random.below(spanSeconds), () => this.#restart(this.random.pick(this.nodes)))
    }
    let now = start
    while (this.plan.length > 0) {
      this.plan.sort((a, b) => a.at - b.at || a.order - b.order)
      const next = this.plan.shift()!
      now = next.at
      next.run(now)
    }
    this.#heal(now)
    this.#settle(now + 10)
    return {
      acknowledged: this.accounts.length,
      refused: this.refused,
      conflicts: this.conflicts,
      diverged: this.#diverged(),
      lostSilently: this.accounts.filter((account) => this.#isLostSilently(account)).length,
      exchanges: this.exchanges,
    }
  }

  #at(seconds: number, run: (now: number) => void): void {
    this.plan.push({ at: start + seconds, order: this.plan.length + this.lives, run })
  }

  #write(now: number): void {
    const node = this.random.pick(this.nodes)
    const key = this.random.pick(this.keys)
    const clock = now + node.skew
    const { replica, owner } = node
    const lease = currentLease(replica.state(key).holder, replica.rule, clock)
    if (lease !== undefined && textToByteText(lease.owner) !== owner) {
      this.refused++
      return
    }
    const kind: WriteKind = this.random.chance(0.15)
      ? 'delete'
      : this.random.chance(0.25)
        ? 'delta'
        : 'set'
    const write = replica.compose(
      key,
      { kind, value: this.#value(kind) },
      { owner, utcSeconds: clock },
    )
    const account = { key, write, seen: new Set(node.told), reported: false }
    this.accounts.push(account)
    this.#tell(node, account, 'live', now)
    for (const other of this.nodes) {
      if (other === node || other.group !== node.group || this.random.chance(0.05)) continue
      this.#at(now - start + this.random.below(4), (then) =>
        this.#tell(other, account, 'live', then),
      )
    }
  }

  #value(kind: WriteKind): Uint8Array {
    if (kind === 'delete') return new Uint8Array(0)
    const field = `field ${this.random.below(3)}`
    if (kind === 'delta' || this.random.chance(0.5)) {
      return encodeValue({ [field]: this.random.below(1_000_000) })
    }
    return encodeValue(`value ${this.random.below(1_000_000)}`)
  }

  #tell(node: Node, account: Account, origin: Origin, now: number): void {
    const result = node.replica.merge(account.key, account.write, origin, now + node.skew)
    node.told.add(account)
    if (result.type === 'merged') this.#report(account.key, result.change.lost)
  }

  #report(key: ByteText, lost: readonly Write[]): void {
    for (const write of lost) {
      this.conflicts++
      for (const account of this.accounts) {
        if (account.key === key && saysAll(write, account.write)) account.reported = true
      }
    }
  }

  #restart(node: Node): void {
    const hadStore = this.random.chance(0.5)
    const before = node.replica
    node.replica = this.#newReplica()
    if (!hadStore) {
      node.owner = this.#newOwner()
      node.told = new Set()
      return
    }
    for (const key of before.knownKeys()) {
      const kept = decodeRecords(encodeRecords(recordsOf(before, key)))!
      const folded = kept[0]!.isBase
      node.replica.restore(key, { writes: kept.map((record) => record.write), folded })
    }
  }

  #heal(now: number): void {
    for (const node of this.nodes) node.group = 0
    for (let i = 0; i < this.nodes.length; i++) this.#exchange(now)
  }

  /** Pairs at random until nobody learns anything. */
  #settle(now: number): void {
    for (let round = 0; round < 200 && this.#diverged() > 0; round++) {
      for (const node of this.nodes) node.replica.sweep(now + round + node.skew)
      for (let i = 0; i < this.nodes.length; i++) this.#exchange(now + round)
    }
  }

  #exchange(now: number): void {
    const a = this.random.pick(this.nodes)
    const b = this.random.pick(this.nodes)
    if (a === b) return
    this.exchanges++
    const [fromA, fromB] = [allRecords(a.replica), allRecords(b.replica)]
    this.#learn(b, fromA, now)
    this.#learn(a, fromB, now)
    for (const account of a.told) b.told.add(account)
    for (const account of b.told) a.told.add(account)
  }

  #learn(node: Node, records: readonly WriteRecord[], now: number): void {
    for (const { key, isBase, write } of records) {
      const origin = isBase ? 'base' : 'record'
      const result = node.replica.merge(key, write, origin, now + node.skew)
      if (result.type === 'merged') this.#report(key, result.change.lost)
    }
  }

  #diverged(): number {
    const first = this.nodes[0]!
    return this.keys.filter((key) =>
      this.nodes.some((node) => picture(node.replica, key) !== picture(first.replica, key)),
    ).length
  }

  #isLostSilently(account: Account): boolean {
    if (account.reported) return false
    const parts = this.nodes[0]!.replica.state(account.key).parts
    if (parts.some((part) => saysAll(part, account.write))) return false
    if (this.accounts.some((other) => other.key === account.key && other.seen.has(account)))
      return false
    // Nobody alive was ever told: it was lost with its author's memory, not by merging.
    return this.nodes.some((node) => node.told.has(account))
  }
}

/** True for the write itself, and for a base into which it was folded: under its stamp, or with its fields. */
function saysAll(part: Write, write: Write): boolean {
  const { owner, time, sequence } = write
  if (part.owner === owner && part.time === time && part.sequence === sequence) return true
  if (part.kind !== 'set' || write.kind === 'delete' || !isMapping(write.value)) return false
  const [all, some] = [readFields(part.value), readFields(write.value)]
  return [...some].every(([name, { value }]) => all.get(name)?.value.join() === value.join())
}

function recordsOf(replica: Replica, key: ByteText): readonly WriteRecord[] {
  const log = replica.log(key)
  return (log?.writes ?? []).map((write, i) => ({ key, isBase: i === 0 && log!.folded, write }))
}

function allRecords(replica: Replica): readonly WriteRecord[] {
  return [...replica.knownKeys()].flatMap((key) => recordsOf(replica, key))
}

/** What a node makes of a key, as one text: value, holder and everything it knows. */
function picture(replica: Replica, key: ByteText): string {
  const { holder, value } = replica.state(key)
  const stamp = (w: Write | undefined): string =>
    w === undefined ? '-' : `${w.kind} ${w.owner} ${w.time} ${w.sequence} ${w.value.join()}`
  const log = replica.log(key)?.writes.map(stamp).join(' | ') ?? ''
  return `${stamp(holder)} = ${value?.join() ?? 'absent'} (${log})`
}
