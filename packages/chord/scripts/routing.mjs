// How many hops a search takes, and how many go wrong straight after a share of the nodes died at once,
// by the shipped routing tables and `Lookup`. Tables are those of before the crash; nothing repairs.
// Prints one JSON line.
//   node scripts/routing.mjs [nodes] [searches] [share dead] [members up to which a table is full] [seed]
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { randomPosition, seededRandom } from './seeded-random.mjs'

/** @returns per search: mean and most hops, mean waits for the dead; `wrong` counts false owners. */
export function measureRouting(code, options) {
  const { nodeCount, searches, deadShare, fullTable, seed } = options
  const random = seededRandom(seed)
  const nodes = ringOf(code, nodeCount, random)
  const ids = [...nodes.values()].map(({ id }) => id)
  const isDead = drawDead(ids, deadShare, random)
  const tables = new Map()
  const tableOf = (id) => {
    if (!tables.has(id)) tables.set(id, code.routingTableOf(nodes, id, fullTable))
    return tables.get(id)
  }
  const hops = []
  let wrong = 0
  let waits = 0
  for (let search = 0; search < searches; search += 1) {
    const position = randomPosition(random)
    const asker = pick(ids, random, (id) => !isDead.has(id))
    const lookup = follow(code, { position, asker, tableOf, isDead })
    const holders = nodes.holdersOf(position, nodeCount > 200 ? 200 : nodeCount)
    const owner = holders.find(({ id }) => !isDead.has(id))?.id
    if (lookup.owner !== owner) wrong += 1
    // A search whose owner asks itself takes no hop.
    hops.push(lookup.hops - 1)
    waits += lookup.failures
  }
  const sizes = [...tables.values()].map(({ size }) => size)
  return {
    ...options,
    tableMean: mean(sizes),
    hopsMean: mean(hops),
    hopsMost: Math.max(...hops),
    waitsMean: rounded(waits / searches),
    wrong,
  }
}

function ringOf({ StoringNodes, encodeBase58Integer }, nodeCount, random) {
  const positions = Array.from({ length: nodeCount }, () => randomPosition(random))
  positions.sort((a, b) => (a < b ? -1 : 1))
  const nodes = new StoringNodes()
  for (const position of positions) nodes.add(encodeBase58Integer(position))
  return nodes
}

function drawDead(ids, share, random) {
  const dead = new Set()
  while (dead.size < Math.round(ids.length * share)) dead.add(ids[random() % ids.length])
  return dead
}

function pick(ids, random, isWanted) {
  for (;;) {
    const id = ids[random() % ids.length]
    if (isWanted(id)) return id
  }
}

/** Each node answers from its own table, the asker too, whose answer is no hop. */
function follow({ Lookup, namedInAnswer }, { position, asker, tableOf, isDead }) {
  const self = tableOf(asker).get(asker)
  const lookup = new Lookup(position, [self])
  for (let id = lookup.next(); id !== undefined; id = lookup.next()) {
    if (isDead.has(id)) lookup.handleFailed(id)
    else lookup.handleAnswer(id, tableOf(id).holdersOf(position, namedInAnswer))
  }
  return lookup
}

const rounded = (figure) => Number(figure.toFixed(3))
const mean = (figures) => rounded(figures.reduce((sum, figure) => sum + figure, 0) / figures.length)

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const given = argv.slice(2).map(Number)
  const { StoringNodes, Lookup, namedInAnswer, routingTableOf, maxFullTable } =
    await import('../dist/index.js')
  const { encodeBase58Integer } = await import('@p2p/serializer')
  const [nodeCount = 10_000, searches = 20_000, deadShare = 0, fullTable = maxFullTable, seed = 1] =
    given
  const code = { StoringNodes, Lookup, namedInAnswer, routingTableOf, encodeBase58Integer }
  const result = measureRouting(code, { nodeCount, searches, deadShare, fullTable, seed })
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
