/**
 * What the page knows of a network: nodes, links, what moves on them, and the figures. Both sources
 * feed it events; drawings read it as often as they draw, texts when `onChange` says so.
 */
import { networkNames } from '../../src/view/world-event.ts'
import type { NetworkName, NodeFacts, WorldEvent } from '../../src/view/world-event.ts'
import { Spreads } from './spread.ts'

export interface WorldLink {
  readonly a: string
  readonly b: string
  state: 'open' | 'cut'
}

/** A message on its way along a link, for the eye. */
export interface Pulse {
  readonly from: string
  readonly to: string
  /** When it was seen, by the clock of the page. */
  readonly seenMs: number
}

export interface LogRow {
  readonly number: number
  readonly event: Extract<WorldEvent, { type: 'frame' }>
}

export interface ChatLine {
  readonly sender: string
  readonly text: string
  readonly heardBy: Set<string>
}

export interface Sample {
  readonly messagesPerSecond: number
  readonly copiesPerDelivery: number | undefined
  readonly convergenceMs: number | undefined
}

/** Whether the nodes of a network are all joined, and what the last loss did. */
export interface Health {
  readonly nodes: number
  readonly pieces: number
  /** How long it took until all were joined again after a node went. */
  readonly repairedInMs: number | undefined
}

const maxPulses = 400
const maxLogRows = 200
const maxChatLines = 60
const maxNotes = 30
const maxSamples = 120
/** Texts follow this often at most. */
const noticeMs = 200

export class World {
  readonly nodes = new Map<string, NodeFacts>()
  readonly links = new Map<string, WorldLink>()
  readonly log: LogRow[] = []
  readonly chat: ChatLine[] = []
  readonly notes: string[] = []
  /** Who holds which value of which key. */
  readonly held = new Map<string, Map<string, string>>()
  readonly samples: Sample[] = []
  pulses: Pulse[] = []
  /** Goes up whenever nodes or links change: drawings look at it. */
  shape = 0
  isLogHeld = false
  readonly #spreads = new Spreads()
  readonly #listeners = new Set<() => void>()
  readonly #losses = new Map<NetworkName, number>()
  readonly #repairs = new Map<NetworkName, number>()
  #frameCount = 0
  #framesThisSecond = 0
  #notice: ReturnType<typeof setTimeout> | undefined
  #pieces: { readonly shape: number; readonly counts: ReadonlyMap<NetworkName, number> } | undefined

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  apply(events: readonly WorldEvent[]): void {
    for (const event of events) this.#apply(event)
    this.changed()
  }

  /** Tells the texts that there is something new. */
  changed(): void {
    this.#notice ??= setTimeout(() => {
      this.#notice = undefined
      this.#checkRepairs()
      for (const listener of this.#listeners) listener()
    }, noticeMs)
  }

  nameOf(id: string): string {
    return this.nodes.get(id)?.name ?? `${id.slice(0, 6)}…`
  }

  note(text: string): void {
    this.notes.push(text)
    if (this.notes.length > maxNotes) this.notes.shift()
    this.changed()
  }

  ofNetwork(network: NetworkName): readonly NodeFacts[] {
    return [...this.nodes.values()].filter((node) => node.network === network)
  }

  neighboursOf(id: string): readonly string[] {
    const found: string[] = []
    for (const { a, b, state } of this.links.values()) {
      if (state !== 'open') continue
      if (a === id) found.push(b)
      else if (b === id) found.push(a)
    }
    return found
  }

  health(network: NetworkName): Health {
    const counts = this.#countPieces()
    return {
      nodes: this.ofNetwork(network).length,
      pieces: counts.get(network) ?? 0,
      repairedInMs: this.#repairs.get(network),
    }
  }

  /** Closes the second that has passed: adds a sample. `nowMs` is the clock of the frames. */
  closeSecond(nowMs: number, seconds = 1): void {
    const finished = this.#spreads.takeFinished(nowMs)
    const mean = (values: readonly number[]): number | undefined =>
      values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0) / values.length
    this.samples.push({
      messagesPerSecond: this.#framesThisSecond / seconds,
      copiesPerDelivery: mean(finished.map(({ copiesPerDelivery }) => copiesPerDelivery)),
      convergenceMs: mean(finished.map(({ convergenceMs }) => convergenceMs)),
    })
    if (this.samples.length > maxSamples) this.samples.shift()
    this.#framesThisSecond = 0
    this.changed()
  }

  #apply(event: WorldEvent): void {
    switch (event.type) {
      case 'node':
        this.nodes.set(event.node.id, event.node)
        this.shape += 1
        break
      case 'node-gone':
        this.#forget(event.id)
        break
      case 'link':
        this.#link(event)
        break
      case 'frame':
        this.#frame(event)
        break
      case 'heard':
        this.#heard(event)
        break
      case 'held':
        this.#hold(event)
        break
      case 'note':
        this.note(event.text)
        break
    }
  }

  #forget(id: string): void {
    const network = this.nodes.get(id)?.network
    if (network !== undefined) {
      this.#losses.set(network, performance.now())
      this.#repairs.delete(network)
    }
    this.nodes.delete(id)
    for (const [key, { a, b }] of this.links) if (a === id || b === id) this.links.delete(key)
    for (const holders of this.held.values()) holders.delete(id)
    this.shape += 1
  }

  #link({ a, b, state }: Extract<WorldEvent, { type: 'link' }>): void {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`
    if (state === 'open') this.links.set(key, { a, b, state })
    else if (state === 'cut') {
      this.links.set(key, { a, b, state })
      this.note(`${this.nameOf(a)} and ${this.nameOf(b)} are cut apart`)
    } else if (this.links.get(key)?.state !== 'cut') this.links.delete(key)
    this.shape += 1
  }

  /** Cuts are over. */
  clearCuts(): void {
    for (const [key, { state }] of this.links) if (state === 'cut') this.links.delete(key)
    this.shape += 1
  }

  #frame(event: Extract<WorldEvent, { type: 'frame' }>): void {
    const { from, to, broadcast } = event
    this.#frameCount += 1
    this.#framesThisSecond += 1
    if (broadcast !== undefined) this.#spreads.saw(broadcast, event)
    if (this.pulses.length < maxPulses) this.pulses.push({ from, to, seenMs: performance.now() })
    if (this.isLogHeld) return
    this.log.push({ number: this.#frameCount, event })
    if (this.log.length > maxLogRows) this.log.shift()
  }

  #heard({ node, sender, text }: Extract<WorldEvent, { type: 'heard' }>): void {
    let line = this.chat.findLast((one) => one.sender === sender && one.text === text)
    if (line === undefined || line.heardBy.has(node)) {
      line = { sender, text, heardBy: new Set() }
      this.chat.push(line)
      if (this.chat.length > maxChatLines) this.chat.shift()
    }
    line.heardBy.add(node)
  }

  #hold({ node, key, value }: Extract<WorldEvent, { type: 'held' }>): void {
    const holders = this.held.get(key) ?? new Map<string, string>()
    if (value === null) holders.delete(node)
    else holders.set(node, value)
    this.held.set(key, holders)
  }

  #checkRepairs(): void {
    if (this.#losses.size === 0) return
    const counts = this.#countPieces()
    for (const [network, sinceMs] of this.#losses) {
      if ((counts.get(network) ?? 0) > 1) continue
      const tookMs = performance.now() - sinceMs
      this.#losses.delete(network)
      this.#repairs.set(network, tookMs)
      this.note(`${network} is whole again ${(tookMs / 1_000).toFixed(1)} s after the loss`)
    }
  }

  /** Into how many pieces each network has fallen. */
  #countPieces(): ReadonlyMap<NetworkName, number> {
    if (this.#pieces?.shape === this.shape) return this.#pieces.counts
    const roots = new Map<string, string>()
    const rootOf = (id: string): string => {
      let root = id
      for (let up = roots.get(root); up !== undefined; up = roots.get(root)) root = up
      return root
    }
    for (const { a, b, state } of this.links.values()) {
      if (state !== 'open' || !this.nodes.has(a) || !this.nodes.has(b)) continue
      const [one, two] = [rootOf(a), rootOf(b)]
      if (one !== two) roots.set(one, two)
    }
    const counts = new Map<NetworkName, number>(networkNames.map((name) => [name, 0]))
    for (const { id, network } of this.nodes.values())
      if (!roots.has(id)) counts.set(network, (counts.get(network) ?? 0) + 1)
    this.#pieces = { shape: this.shape, counts }
    return counts
  }
}
