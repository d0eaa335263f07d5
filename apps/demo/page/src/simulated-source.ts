/**
 * A whole network inside this tab: the shipped machines in the simulator of `@p2p/base/sim`, in virtual
 * time, decided by a seed. Runs in slices between frames, so the page stays awake.
 */
import { resolveLimits } from '@p2p/base'
import type { LinkEffect, LinkInput, Machine, Now, Peer } from '@p2p/base'
import { Simulator, startFaults } from '@p2p/base/sim'
import type { Cut, FaultKind, NodeBoot, SimNode } from '@p2p/base/sim'
import { ChordMachine } from '@p2p/chord'
import type { ChordEffect, ChordInput } from '@p2p/chord'
import { MeshMachine } from '@p2p/mesh'
import type { MeshEffect, MeshInput } from '@p2p/mesh'
import {
  decodeFrame,
  decodeValue,
  encodeBase58Integer,
  encodeValue,
  toHex,
  utf8Encode,
} from '@p2p/serializer'
import { SyncMachine, byteTextToText, textToByteText } from '@p2p/sync'
import type { SyncEffect, SyncInput } from '@p2p/sync'
import { messageLabel, show } from '../../src/view/describe-frame.ts'
import { chatMark, demoRoom } from '../../src/view/world-event.ts'
import type { ControlCommand, WorldEvent } from '../../src/view/world-event.ts'
import type { DictionaryRow, Source } from './source.ts'
import { World } from './world.ts'

export interface SimulationOptions {
  readonly network: 'mesh' | 'sync' | 'chord'
  readonly nodeCount: number
  readonly seed: number
  readonly withFaults: boolean
}

type AnyMachine = MeshMachine | SyncMachine | ChordMachine
type Input = MeshInput | SyncInput | ChordInput
type Effect = MeshEffect | SyncEffect | ChordEffect
type Command = Exclude<Input, LinkInput>
type Emitted = Exclude<Effect, LinkEffect>

interface Member {
  readonly id: string
  readonly node: SimNode<Command, Emitted>
  machine: AnyMachine
  wasUp: boolean
  wasPaused: boolean
}

/** Work for the simulation between two frames of the page. */
const sliceMs = 9
/** Simulated time that passes between two frames at most: about real time. */
const maxStepMs = 20
const joinsPerFrame = 8
const talkEveryMs = 1_500
const lookEveryMs = 200
const pauseMs = 20_000
const stormMs = 120_000
const faultKinds: readonly FaultKind[] = [
  'crash',
  'pause',
  'partition',
  'isolate',
  'link-loss',
  'clock-jump',
]
const operationTimeoutMs = 10_000
/** Pictures of more links show nothing. */
const meshLimits = { targetOutgoing: 3, maxNeighbours: 12 }
const maxToldBytes = 1_024
const idKey = 'id'

export class SimulatedSource implements Source {
  readonly world = new World()
  readonly ownIds = new Set<string>()
  readonly dictionary: Source['dictionary']
  readonly table: Source['table']
  readonly #options: SimulationOptions
  readonly #sim: Simulator
  readonly #members: Member[] = []
  readonly #byId = new Map<string, Member>()
  readonly #cuts: Cut[] = []
  readonly #waiting = new Map<number, (effect: Emitted) => void>()
  /** Of the first node's dictionary. */
  readonly #rows = new Map<string, { readonly value: string; readonly owner: string }>()
  #events: WorldEvent[] = []
  #requests = 0
  #turn = 0
  #isClosed = false
  #lastSecondMs = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#sim = new Simulator({ seed: options.seed, transcriptLength: 0 })
    this.dictionary = options.network === 'sync' ? this.#dictionary() : undefined
    this.table = options.network === 'chord' ? this.#table() : undefined
    this.#sim.after(talkEveryMs, () => this.#talk())
    if (options.withFaults)
      startFaults(this.#sim, {
        kinds: faultKinds,
        meanIntervalMs: 4_000,
        minDurationMs: 2_000,
        maxDurationMs: 12_000,
        untilMs: stormMs,
      })
    requestAnimationFrame(() => this.#frame())
  }

  get viewpoint(): string | undefined {
    return this.#members[0]?.id
  }

  get status(): string {
    const { seed, nodeCount, withFaults } = this.#options
    const seconds = (this.#sim.nowMs / 1_000).toFixed(1)
    const joined = this.#members.length < nodeCount ? `, ${this.#members.length} joined` : ''
    const storm = withFaults && this.#sim.nowMs < stormMs ? ', faults at random' : ''
    return `seed ${seed}: ${seconds} s simulated${joined}${storm}; ${this.#sim.counters.steps} events`
  }

  async command(command: ControlCommand): Promise<void> {
    switch (command.op) {
      case 'add':
        for (let index = 0; index < command.count; index += 1) this.#add()
        break
      case 'kill':
        this.#kill(this.#member(command.id))
        break
      case 'pause':
        this.#member(command.id).node.pause(pauseMs)
        break
      case 'resume':
        throw new Error(`a paused node goes on by itself after ${pauseMs / 1_000} s`)
      case 'cut':
        this.#cut(command.a, command.b)
        break
      case 'heal':
        for (const cut of this.#cuts.splice(0)) cut.heal()
        this.world.clearCuts()
        this.world.note('everything is healed')
        this.#tellLinks()
    }
  }

  say(text: string): void {
    const [first] = this.#members
    if (first === undefined) return
    const request = this.#nextRequest()
    const payload = [0, chatMark, demoRoom, text]
    first.node.command({ type: 'broadcast', request, payload })
    this.world.apply([{ type: 'heard', node: first.id, sender: first.id, text }])
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #frame(): void {
    if (this.#isClosed) return
    const begunMs = performance.now()
    for (let index = 0; index < joinsPerFrame; index += 1)
      if (this.#members.length < this.#options.nodeCount) this.#add()
    const isOver = (): boolean => performance.now() - begunMs > sliceMs
    this.#sim.runUntil(isOver, maxStepMs)
    this.#look()
    if (this.#events.length > 0) this.world.apply(this.#events.splice(0))
    requestAnimationFrame(() => this.#frame())
  }

  #add(): void {
    const contacts = this.#sim.random
      .fork(`contacts ${this.#members.length}`)
      .shuffle(this.#members.filter(({ node }) => node.isUp))
      .slice(0, 2)
    const made: { machine?: AnyMachine; member?: Member } = {}
    const node = this.#sim.addNode<Command, Emitted>({
      create: (boot) => {
        const machine = this.#createMachine(boot)
        made.machine = machine
        if (made.member !== undefined) made.member.machine = machine
        return watched(machine, (link, bytes) => this.#onSend(machine, link, bytes))
      },
      onStart: (self) => this.#greet(self, contacts),
      onEffect: (effect, self) => this.#onEffect(effect, self),
    })
    const { machine } = made
    if (machine === undefined) throw new Error('the simulator made no machine')
    const member: Member = { id: machine.id, node, machine, wasUp: true, wasPaused: false }
    made.member = member
    this.#members.push(member)
    this.#byId.set(member.id, member)
    if (this.#members.length === 1) this.ownIds.add(member.id)
    this.#events.push(this.#nodeEvent(member))
  }

  #createMachine(boot: NodeBoot): AnyMachine {
    const idBytes = boot.store.get(idKey) ?? boot.randomBytes(48)
    boot.store.set(idKey, idBytes)
    const { network } = this.#options
    const options = {
      id: encodeBase58Integer(idBytes),
      subnet: network,
      limits: resolveLimits(),
      randomBytes: boot.randomBytes,
    }
    switch (network) {
      case 'mesh':
        return new MeshMachine({ ...options, meshLimits })
      case 'sync':
        return new SyncMachine({ ...options, meshLimits })
      case 'chord':
        return new ChordMachine(options)
    }
  }

  #greet(node: SimNode<Command, Emitted>, contacts: readonly Member[]): void {
    node.command({ type: 'listening', addresses: node.addresses })
    for (const { node: other } of contacts) {
      const [address = ''] = other.addresses
      const request = this.#nextRequest()
      node.command({ type: 'connect', request, address, timeoutMs: operationTimeoutMs })
    }
    if (this.#options.network === 'chord') node.command({ type: 'join' })
  }

  #onSend(machine: AnyMachine, link: number, bytes: Uint8Array): void {
    const peer = peerOn(machine, link)
    if (peer === undefined) return
    const message = decodeFrame(bytes)
    this.#events.push({
      type: 'frame',
      from: machine.id,
      to: peer.id,
      atMs: this.#sim.nowMs,
      label: messageLabel(message),
      byteCount: bytes.length,
      ...(message.type === 0 && { broadcast: toHex(message.id) }),
      ...(bytes.length <= maxToldBytes && { hex: toHex(bytes) }),
    })
  }

  #onEffect(effect: Emitted, node: SimNode<Command, Emitted>): void {
    const member = this.#members[node.index]
    if ('request' in effect) {
      this.#waiting.get(effect.request)?.(effect)
      this.#waiting.delete(effect.request)
    }
    if (member === undefined) return
    const { id } = member
    if (effect.type === 'message') {
      const [, mark, room, text] = effect.message.payload
      const { sender } = effect.message
      if (mark === chatMark && room === demoRoom && typeof text === 'string')
        this.#events.push({ type: 'heard', node: id, sender: String(sender), text })
    } else if (effect.type === 'update' || effect.type === 'delete') {
      const key = byteTextToText(effect.key)
      if (typeof key !== 'string') return
      const { value: bytes, owner } = effect.entry
      const value = bytes === undefined ? null : show(decodeValue(bytes))
      this.#events.push({ type: 'held', node: id, key, value })
      if (member !== this.#members[0]) return
      if (value === null) this.#rows.delete(key)
      else this.#rows.set(key, { value, owner })
    }
  }

  /** Faults come and go by themselves: compares what is with what the page knows. */
  #look(): void {
    const nowMs = this.#sim.nowMs
    if (nowMs - this.#lastSecondMs < lookEveryMs) return
    this.#lastSecondMs = nowMs
    for (const member of this.#members) {
      const { isUp, isPaused } = member.node
      if (isUp === member.wasUp && isPaused === member.wasPaused) continue
      member.wasUp = isUp
      member.wasPaused = isPaused
      this.#events.push(isUp ? this.#nodeEvent(member) : { type: 'node-gone', id: member.id })
    }
    this.#tellLinks()
    this.world.closeSecond(nowMs, lookEveryMs / 1_000)
  }

  #tellLinks(): void {
    const open = new Set<string>()
    for (const { id, machine, node } of this.#members) {
      if (!node.isUp) continue
      for (const peer of machine.peers.keys())
        open.add(id < peer ? `${id} ${peer}` : `${peer} ${id}`)
    }
    const say = (link: string, state: 'open' | 'closed'): void => {
      const [a = '', b = ''] = link.split(' ')
      this.#events.push({ type: 'link', a, b, state })
    }
    for (const link of open) if (!this.world.links.has(link)) say(link, 'open')
    for (const link of this.world.links.keys()) if (!open.has(link)) say(link, 'closed')
  }

  #talk(): void {
    const up = this.#members.filter(({ node }) => node.isUp)
    const speaker =
      up.length === 0 ? undefined : this.#sim.random.fork(`turn ${this.#turn}`).pick(up)
    this.#turn += 1
    this.#sim.after(talkEveryMs, () => this.#talk())
    if (speaker === undefined) return
    const text = `message ${this.#turn} by ${speaker.node.name}`
    const request = this.#nextRequest()
    const key = `note of ${speaker.node.name}`
    switch (this.#options.network) {
      case 'mesh':
        speaker.node.command({ type: 'broadcast', request, payload: [0, chatMark, demoRoom, text] })
        this.#events.push({ type: 'heard', node: speaker.id, sender: speaker.id, text })
        break
      case 'sync':
        speaker.node.command({
          type: 'write',
          key: textToByteText(key),
          kind: 'set',
          value: encodeValue(text),
        })
        break
      case 'chord': {
        const write = { type: 'write', key: utf8Encode(key), value: encodeValue(text) } as const
        speaker.node.command({ ...write, request, timeoutMs: operationTimeoutMs })
      }
    }
  }

  #kill(member: Member): void {
    member.node.crash({ keepStore: false })
    this.world.note(`${member.node.name} was killed`)
  }

  #cut(a: string, b: string | undefined): void {
    const one = this.#member(a)
    const other = b === undefined ? undefined : this.#member(b)
    this.#cuts.push(
      other === undefined
        ? this.#sim.isolate(one.node)
        : this.#sim.partition([[one.node], [other.node]]),
    )
    const peers = b === undefined ? [...one.machine.peers.keys()] : [b]
    this.world.apply(peers.map((peer) => ({ type: 'link', a, b: peer, state: 'cut' })))
  }

  #dictionary(): NonNullable<Source['dictionary']> {
    const write = (key: string, kind: 'set' | 'delete', value: Uint8Array): void => {
      const first = this.#first(SyncMachine)
      const name = textToByteText(key)
      const refusal = first.machine.refusal(name, this.#now(), { kind, value })
      if (refusal !== undefined) throw refusal
      first.node.command({ type: 'write', key: name, kind, value })
    }
    return {
      rows: () => this.#dictionaryRows(),
      set: (key, value) => write(key, 'set', encodeValue(value)),
      remove: (key) => write(key, 'delete', new Uint8Array(0)),
    }
  }

  #dictionaryRows(): readonly DictionaryRow[] {
    const machine = this.#members[0]?.machine
    if (!(machine instanceof SyncMachine)) return []
    const now = this.#now()
    return [...this.#rows].map(([key, { value, owner }]) => {
      const lease = machine.lease(textToByteText(key), now)
      const leaseSeconds =
        lease === undefined ? undefined : Math.ceil(lease.expiresAtSeconds - now.utcSeconds)
      return { key, value, owner, leaseSeconds }
    })
  }

  #table(): NonNullable<Source['table']> {
    const ask = (build: (request: number) => Command): Promise<Emitted> => {
      const request = this.#nextRequest()
      const answered = new Promise<Emitted>((resolve) => this.#waiting.set(request, resolve))
      this.#first(ChordMachine).node.command(build(request))
      return answered
    }
    const timeoutMs = operationTimeoutMs
    return {
      set: async (key, value) => {
        const effect = await ask((request) => ({
          type: 'write',
          request,
          key: utf8Encode(key),
          value: encodeValue(value),
          timeoutMs,
        }))
        if (effect.type === 'write-failed') throw effect.error
      },
      get: async (key) => {
        const effect = await ask((request) => ({
          type: 'read',
          request,
          key: utf8Encode(key),
          timeoutMs,
        }))
        if (effect.type !== 'read-ended' || effect.result.type !== 'found') return undefined
        return show(decodeValue(effect.result.value))
      },
      locate: (key) => {
        const machine = this.#members[0]?.machine
        return machine instanceof ChordMachine ? machine.locate(utf8Encode(key)) : []
      },
    }
  }

  #first<Kind extends AnyMachine>(
    kind: abstract new (...args: never[]) => Kind,
  ): { readonly node: Member['node']; readonly machine: Kind } {
    const [first] = this.#members
    if (first === undefined || !first.node.isUp || !(first.machine instanceof kind))
      throw new Error('the first node is down')
    return { node: first.node, machine: first.machine }
  }

  #nodeEvent({ id, node, machine }: Member): WorldEvent {
    return {
      type: 'node',
      node: {
        id,
        name: node.name,
        network: this.#options.network,
        language: 'TypeScript',
        state: node.isPaused ? 'paused' : 'running',
        isBridge: false,
        isOurs: true,
        ...(machine instanceof ChordMachine && { ringPosition: machine.ringPosition }),
      },
    }
  }

  #member(id: string): Member {
    const member = this.#byId.get(id)
    if (member === undefined) throw new Error('there is no such node')
    return member
  }

  #now(): Now {
    return { monoMs: this.#sim.nowMs, utcSeconds: this.#sim.utcSeconds }
  }

  #nextRequest(): number {
    this.#requests += 1
    return this.#requests
  }
}

/** The machine itself, with everything it sends shown to somebody. */
function watched(
  machine: AnyMachine,
  onSend: (link: number, bytes: Uint8Array) => void,
): Machine<LinkInput | Command, LinkEffect | Emitted> {
  return {
    handle: (input, now) => {
      // Each member gets the commands of its own kind only.
      const effects = (machine as Machine<Input, Effect>).handle(input, now)
      for (const effect of effects) if (effect.type === 'send') onSend(effect.link, effect.bytes)
      return effects
    },
    nextDeadline: () => machine.nextDeadline(),
  }
}

const linkCaches = new WeakMap<AnyMachine, Map<number, Peer>>()

/** The open peer on a link; undefined while it shakes hands. */
function peerOn(machine: AnyMachine, link: number): Peer | undefined {
  const cache = linkCaches.get(machine) ?? new Map<number, Peer>()
  linkCaches.set(machine, cache)
  const known = cache.get(link)
  if (known?.link === link) return known
  for (const peer of machine.peers.values()) if (peer.link === link) cache.set(link, peer)
  return cache.get(link)
}
