/**
 * Who is linked to whom, as a picture that arranges itself: d3-force places the nodes, each network
 * around a centre of its own; messages are dots that move along the links.
 */
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from 'd3-force'
import type { Simulation, SimulationLinkDatum, SimulationNodeDatum } from 'd3-force'
import { networkNames } from '../../src/view/world-event.ts'
import type { NetworkName, NodeFacts } from '../../src/view/world-event.ts'
import type { Frame } from './canvas.tsx'
import { prefersStillness } from './palette.ts'
import type { World } from './world.ts'

interface Spot extends SimulationNodeDatum {
  readonly id: string
  facts: NodeFacts
  x: number
  y: number
}

type Tie = SimulationLinkDatum<Spot>

/** How long a message takes along a link, for the eye. */
const travelMs = 500
/** With reduced motion a link lights up instead. */
const glowMs = 400
/** From here on nodes are small and have no names. */
const smallFrom = 120
const maxNamed = 80
const stillTicks = 150

export class TopologyDrawing {
  readonly #world: World
  readonly #spots = new Map<string, Spot>()
  readonly #forces: Simulation<Spot, Tie>
  readonly #still: boolean = prefersStillness()
  #shape = -1
  #size = { width: 0, height: 0 }

  constructor(world: World) {
    this.#world = world
    this.#forces = forceSimulation<Spot>().stop()
  }

  draw(frame: Frame, selected: string | undefined): void {
    this.#update(frame)
    if (!this.#still && this.#forces.alpha() > this.#forces.alphaMin()) this.#forces.tick()
    this.#drawLinks(frame)
    this.#drawPulses(frame)
    this.#drawNodes(frame, selected)
  }

  /** The node at this place, if one is near. */
  nodeAt(x: number, y: number): string | undefined {
    return this.#forces.find(x, y, 20)?.id
  }

  #update({ width, height }: Frame): void {
    const resized = width !== this.#size.width || height !== this.#size.height
    if (this.#shape === this.#world.shape && !resized) return
    this.#shape = this.#world.shape
    this.#size = { width, height }
    const centres = centresOf(this.#world, width, height)
    for (const id of this.#spots.keys()) if (!this.#world.nodes.has(id)) this.#spots.delete(id)
    for (const [id, facts] of this.#world.nodes) {
      const spot = this.#spots.get(id)
      if (spot !== undefined) spot.facts = facts
      else this.#spots.set(id, { id, facts, ...near(centres(facts.network), this.#spots.size) })
    }
    const spots = [...this.#spots.values()]
    const ties: Tie[] = []
    for (const { a, b, state } of this.#world.links.values())
      if (state === 'open' && this.#spots.has(a) && this.#spots.has(b))
        ties.push({ source: a, target: b })
    // The more there are, the closer they stand.
    const between = (least: number, most: number, each: number): number =>
      Math.max(least, Math.min(most, each / spots.length))
    this.#forces
      .nodes(spots)
      .force(
        'link',
        forceLink<Spot, Tie>(ties)
          .id(({ id }) => id)
          .distance(between(18, 70, 2_600))
          .strength(between(0.05, 0.12, 6)),
      )
      .force(
        'charge',
        forceManyBody<Spot>()
          .strength(-between(14, 240, 6_000))
          .distanceMax(260),
      )
      .force('x', forceX<Spot>((spot) => centres(spot.facts.network).x).strength(0.09))
      .force('y', forceY<Spot>((spot) => centres(spot.facts.network).y).strength(0.12))
      .force('collide', spots.length > smallFrom ? null : forceCollide<Spot>(between(8, 13, 600)))
      .alpha(Math.max(this.#forces.alpha(), resized ? 0.8 : 0.35))
    if (this.#still) this.#forces.tick(stillTicks)
  }

  #drawLinks({ context, palette }: Frame): void {
    context.lineWidth = this.#spots.size > smallFrom ? 0.4 : 1
    for (const state of ['open', 'cut'] as const) {
      context.strokeStyle = state === 'cut' ? palette.cut : palette.line
      context.setLineDash(state === 'cut' ? [4, 4] : [])
      context.beginPath()
      for (const link of this.#world.links.values()) {
        if (link.state !== state) continue
        const [a, b] = [this.#spots.get(link.a), this.#spots.get(link.b)]
        if (a === undefined || b === undefined) continue
        context.moveTo(a.x, a.y)
        context.lineTo(b.x, b.y)
      }
      context.stroke()
    }
    context.setLineDash([])
  }

  #drawPulses({ context, palette }: Frame): void {
    const nowMs = performance.now()
    const lastMs = this.#still ? glowMs : travelMs
    this.#world.pulses = this.#world.pulses.filter(({ seenMs }) => nowMs - seenMs < lastMs)
    context.fillStyle = palette.pulse
    context.strokeStyle = palette.pulse
    context.lineWidth = 2
    context.beginPath()
    for (const { from, to, seenMs } of this.#world.pulses) {
      const [a, b] = [this.#spots.get(from), this.#spots.get(to)]
      if (a === undefined || b === undefined) continue
      const way = (nowMs - seenMs) / lastMs
      if (this.#still) {
        context.moveTo(a.x, a.y)
        context.lineTo(b.x, b.y)
      } else {
        const [x, y] = [a.x + (b.x - a.x) * way, a.y + (b.y - a.y) * way]
        context.moveTo(x + 2.5, y)
        context.arc(x, y, 2.5, 0, 2 * Math.PI)
      }
    }
    if (this.#still) context.stroke()
    else context.fill()
  }

  #drawNodes({ context, palette, width, height }: Frame, selected: string | undefined): void {
    const isMany = this.#spots.size > smallFrom
    const radius = isMany ? 3 : 7
    context.font = '11px system-ui, sans-serif'
    context.textAlign = 'center'
    for (const spot of this.#spots.values()) {
      const { id, facts } = spot
      spot.x = Math.min(width - 12, Math.max(12, spot.x))
      spot.y = Math.min(height - 20, Math.max(12, spot.y))
      context.globalAlpha = facts.state === 'paused' ? 0.4 : 1
      context.fillStyle = palette.languages[facts.language]
      context.beginPath()
      if (facts.isBridge) context.rect(spot.x - radius, spot.y - radius, 2 * radius, 2 * radius)
      else context.arc(spot.x, spot.y, radius, 0, 2 * Math.PI)
      context.fill()
      if (id === selected) {
        context.strokeStyle = palette.selected
        context.lineWidth = 3
        context.stroke()
      }
      context.globalAlpha = 1
      if (isMany || this.#spots.size > maxNamed) continue
      context.fillStyle = palette.text
      context.fillText(facts.name, spot.x, spot.y + radius + 11)
    }
  }
}

/** Where each network stands: alone in the middle, or side by side. */
function centresOf(
  world: World,
  width: number,
  height: number,
): (network: NetworkName) => { readonly x: number; readonly y: number } {
  const present = networkNames.filter((name) => world.health(name).nodes > 0)
  const columns = present.length > 2 ? 2 : Math.max(1, present.length)
  const rows = Math.max(1, Math.ceil(present.length / columns))
  return (network) => {
    const index = Math.max(0, present.indexOf(network))
    const column = index % columns
    const row = Math.floor(index / columns)
    return { x: ((column + 0.5) * width) / columns, y: ((row + 0.5) * height) / rows }
  }
}

/** A sunflower around the centre: places for newcomers that no two share. */
function near(
  centre: { readonly x: number; readonly y: number },
  index: number,
): { x: number; y: number } {
  const angle = index * 2.4
  const distance = 8 * Math.sqrt(index + 1)
  return { x: centre.x + distance * Math.cos(angle), y: centre.y + distance * Math.sin(angle) }
}
