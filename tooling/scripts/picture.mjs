// Draws docs/network.svg, the picture of the README: one broadcast in a mesh of the shipped code, simulated. Each
// line is a link; the coloured ones brought the message, one copy per node; the colour says how many hops.
//
//   node tooling/scripts/picture.mjs           writes the picture
//   node tooling/scripts/picture.mjs --check   fails when deliveries and copies are no longer those that it shows
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importBuilt } from './import-built.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const target = join(root, 'docs', 'network.svg')
const { Simulator } = await importBuilt('base/sim')
const { MeshMachine } = await importBuilt('mesh')
const { resolveLimits } = await importBuilt('base')
const { encodeBase58Integer, flags } = await importBuilt('serializer')

const nodeCount = 48
const seed = 7
const width = 760
const height = 380
const margin = 24
const hopColours = ['#e4572e', '#f3a712', '#a8c686', '#5b9279', '#29708e', '#5b4b8a']
/** A second of the animation for so many simulated milliseconds. */
const shownMsPerSecond = 120

/** Runs the network; returns its links, and who got the message of node 0 from whom and when. */
function simulate() {
  const sim = new Simulator({ seed, transcriptLength: 0 })
  const byId = new Map()
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    const node = { index, id: '', from: undefined, atMs: 0, sim: undefined }
    node.sim = sim.addNode({
      create: ({ randomBytes }) => {
        node.id = encodeBase58Integer(randomBytes(48))
        byId.set(node.id, node)
        const limits = resolveLimits()
        const meshLimits = { targetOutgoing: 3, maxNeighbours: 8 }
        return new MeshMachine({ id: node.id, subnet: 'mesh', limits, meshLimits, randomBytes })
      },
      onStart: (one) => one.command({ type: 'listening', addresses: one.addresses }),
      onEffect: (effect) => {
        if (effect.type !== 'message') return
        node.from = byId.get(effect.from.id)
        node.atMs = sim.nowMs
      },
    })
    return node
  })
  let request = 0
  const command = (node, input) => node.sim.command({ ...input, request: (request += 1) })
  for (const node of nodes.slice(1)) {
    const [address] = nodes[sim.random.below(node.index)].sim.addresses
    command(node, { type: 'connect', address, timeoutMs: 10_000 })
  }
  sim.runFor(60_000)
  // The first messages of a sender find the fastest ways; the last one is drawn.
  let sentMs = 0
  let copies = 0
  const copiesSent = () =>
    nodes.reduce((sum, node) => sum + node.sim.machine.counters().copiesSent, 0)
  for (let count = 0; count < 8; count += 1) {
    sentMs = sim.nowMs
    const before = copiesSent()
    command(nodes[0], { type: 'broadcast', payload: [flags.broadcast, `message ${count}`] })
    sim.runFor(5_000)
    copies = copiesSent() - before
  }
  const links = new Set()
  for (const node of nodes) {
    for (const end of node.sim.links.values()) {
      const other = nodes.find(({ sim: one }) => one === end.other.owner)
      if (other !== undefined && other.index > node.index) links.add(`${node.index} ${other.index}`)
    }
  }
  return {
    links: [...links].map((pair) => pair.split(' ').map(Number)),
    arrivals: nodes.map(({ from, atMs }) => ({ from: from?.index, afterMs: atMs - sentMs })),
    copies,
    random: sim.random.fork('picture'),
  }
}

/** Nodes push each other away, links pull: positions inside the picture. */
function layOut(links, random) {
  const ideal = Math.sqrt((width * height) / nodeCount) * 0.8
  const points = Array.from({ length: nodeCount }, () => ({
    x: random.fraction() * width,
    y: random.fraction() * height,
  }))
  for (let step = 400; step > 0; step -= 1) {
    const moves = points.map((one) => {
      const move = { x: (width / 2 - one.x) * 0.02, y: (height / 2 - one.y) * 0.06 }
      for (const other of points) {
        const [x, y] = [one.x - other.x, one.y - other.y]
        const square = Math.max(x * x + y * y, 1)
        move.x += (x * ideal * ideal) / square / 8
        move.y += (y * ideal * ideal) / square / 8
      }
      return move
    })
    for (const [a, b] of links) {
      const [x, y] = [points[b].x - points[a].x, points[b].y - points[a].y]
      const pull = Math.hypot(x, y) / ideal / 12
      moves[a].x += x * pull
      moves[a].y += y * pull
      moves[b].x -= x * pull
      moves[b].y -= y * pull
    }
    const most = step / 20
    for (const [index, { x, y }] of moves.entries()) {
      const scale = Math.min(1, most / Math.max(Math.hypot(x, y), 1e-9))
      points[index].x += x * scale
      points[index].y += y * scale
    }
  }
  const fit = (key, size) => {
    const values = points.map((point) => point[key])
    const [low, high] = [Math.min(...values), Math.max(...values)]
    for (const point of points) {
      point[key] = margin + ((point[key] - low) / (high - low)) * (size - 2 * margin)
    }
  }
  fit('x', width)
  fit('y', height - 26)
  return points
}

function hopsOf(arrivals, index) {
  let hops = 0
  for (let at = index; arrivals[at].from !== undefined && hops < nodeCount; hops += 1) {
    at = arrivals[at].from
  }
  return hops
}

function draw({ links, arrivals, copies, random }) {
  const points = layOut(links, random)
  const at = (index) => `${points[index].x.toFixed(1)} ${points[index].y.toFixed(1)}`
  const colour = (index) => hopColours[Math.min(hopsOf(arrivals, index), hopColours.length) - 1]
  const seconds = (ms) => (ms / shownMsPerSecond).toFixed(2)
  const grey = links.map(([a, b]) => `M${at(a)}L${at(b)}`).join('')
  const reached = arrivals.flatMap((arrival, index) =>
    arrival.from === undefined ? [] : [{ ...arrival, index }],
  )
  const ways = reached.map(
    ({ from, afterMs, index }) =>
      `<path class="w" d="M${at(from)}L${at(index)}" stroke="${colour(index)}" ` +
      `style="animation-delay:${seconds(afterMs)}s"/>`,
  )
  const dots = reached.map(({ afterMs, index }) => {
    const [x, y] = at(index).split(' ')
    return (
      `<circle class="w" cx="${x}" cy="${y}" r="6" fill="${colour(index)}" ` +
      `style="animation-delay:${seconds(afterMs)}s"/>`
    )
  })
  const [x, y] = at(0).split(' ')
  const longestMs = Math.max(...reached.map(({ afterMs }) => afterMs))
  const text =
    `${nodeCount} simulated nodes, one broadcast: ${reached.length} deliveries, ` +
    `${copies} copies, ${Math.max(...reached.map(({ index }) => hopsOf(arrivals, index)))} hops, ` +
    `${Math.round(longestMs)} ms`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${text}">
<style>
.w{animation:in .5s both}
@keyframes in{from{opacity:0}}
@media (prefers-reduced-motion:reduce){.w{animation:none}}
text{font:14px system-ui,sans-serif;fill:#777}
</style>
<path d="${grey}" stroke="#999" stroke-width=".8" fill="none" opacity=".6"/>
<g stroke-width="2.2">
${ways.join('\n')}
</g>
${dots.join('\n')}
<circle cx="${x}" cy="${y}" r="9" fill="#111" stroke="#fff" stroke-width="2"/>
<text x="${width / 2}" y="${height - 8}" text-anchor="middle">${text}</text>
</svg>
`
}

const picture = draw(simulate())
const captionOf = (svg) => /aria-label="([^"]*)"/.exec(svg)?.[1] ?? ''
/** Times and hops may change with the rules of the mesh; what the picture tells is that nothing comes twice. */
const claimOf = (svg) => /^.* copies/.exec(captionOf(svg))?.[0]
if (!process.argv.includes('--check')) writeFileSync(target, picture)
else if (claimOf(readFileSync(target, 'utf8')) !== claimOf(picture)) {
  process.stdout.write('docs/network.svg shows something else: node tooling/scripts/picture.mjs\n')
  process.exitCode = 1
}
process.stdout.write(`picture: ${captionOf(picture)}\n`)
