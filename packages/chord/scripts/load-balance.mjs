// How evenly ids share the load: nodes join one after the other, each with the id that the shipped
// `balancedId` chooses among so many, then the part of the ring that each holds is measured. Every key
// has five places that are as good as random, so the share of the ring is the share of the keys.
// Prints one JSON line per number of nodes.
//   node scripts/load-balance.mjs [nodes,nodes…] [tries] [replicas] [seeds]
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { randomPosition, seededRandom } from './seeded-random.mjs'

const ringSize = 1n << 384n

/** @returns `mostToMean`: the load of the node with most, over the mean; the worst of all seeds. */
export function measureLoad({ StoringNodes, balancedId, encodeBase58Integer }, options) {
  const { nodeCount, tries, replicas, seeds } = options
  const perSeed = Array.from({ length: seeds }, (_, index) => {
    const random = seededRandom(index + 1)
    const draw = () => encodeBase58Integer(randomPosition(random))
    const nodes = new StoringNodes()
    while (nodes.size < nodeCount) nodes.add(balancedId(nodes, draw, tries))
    return mostToMean(nodes, replicas)
  })
  const mean = perSeed.reduce((sum, figure) => sum + figure, 0) / seeds
  return { ...options, mostToMean: rounded(Math.max(...perSeed)), meanOfSeeds: rounded(mean) }
}

function mostToMean(nodes, replicas) {
  let most = 0n
  for (const { id } of nodes.values()) {
    const { from, to } = nodes.arcOf(id, replicas)
    const length = from === to ? ringSize : (to - from + ringSize) % ringSize
    if (length > most) most = length
  }
  const scale = 1n << 40n
  const share = Number((most * scale) / ringSize) / Number(scale)
  return (share * nodes.size) / Math.min(replicas, nodes.size)
}

const rounded = (figure) => Number(figure.toFixed(3))

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const [sizes = '100,1000,10000', tries = '64', replicas = '5', seeds = '3'] = argv.slice(2)
  const { StoringNodes, balancedId } = await import('../dist/index.js')
  const { encodeBase58Integer } = await import('@p2p/serializer')
  for (const size of sizes.split(',')) {
    const options = { nodeCount: Number(size), tries: Number(tries), replicas: Number(replicas) }
    const code = { StoringNodes, balancedId, encodeBase58Integer }
    const result = measureLoad(code, { ...options, seeds: Number(seeds) })
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
}
