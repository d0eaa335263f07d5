// What the placement of replicas survives: keys are placed by the shipped StoringNodes, a share of
// the nodes dies at once, and what is left is counted. Nothing repairs meanwhile. Prints one JSON line.
//   node scripts/placement-survival.mjs [nodes] [keys] [replicas] [share dead] [seed]
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { randomPosition, seededRandom } from './seeded-random.mjs'

const tables = 5
const majority = 3

/**
 * @returns counts of keys: `lost` have no live copy in any table; `withoutMajority` have live copies in
 * fewer than three. `mostLoadedToMean` is the load of the node with most copies, over the mean.
 */
export function measureSurvival({ StoringNodes, encodeBase58Integer }, options) {
  const { nodeCount, keyCount, replicas, deadShare, seed } = options
  const random = seededRandom(seed)
  const nodes = new StoringNodes()
  while (nodes.size < nodeCount) nodes.add(encodeBase58Integer(randomPosition(random)))
  const ids = [...nodes.values()].map(({ id }) => id)
  for (let index = ids.length - 1; index > 0; index -= 1) {
    const other = random() % (index + 1)
    ;[ids[index], ids[other]] = [ids[other], ids[index]]
  }
  const dead = new Set(ids.slice(0, Math.round(nodeCount * deadShare)))
  const loads = new Map()
  let lost = 0
  let withoutMajority = 0
  for (let key = 0; key < keyCount; key += 1) {
    let liveTables = 0
    // The five hashes of a key are as good as independent, so five random places stand for them.
    for (let table = 0; table < tables; table += 1) {
      const holders = nodes.holdersOf(randomPosition(random), replicas)
      if (holders.some(({ id }) => !dead.has(id))) liveTables += 1
      for (const { id } of holders) loads.set(id, (loads.get(id) ?? 0) + 1)
    }
    if (liveTables === 0) lost += 1
    if (liveTables < majority) withoutMajority += 1
  }
  const mean = (keyCount * tables * Math.min(replicas, nodeCount)) / nodeCount
  const most = [...loads.values()].reduce((a, b) => Math.max(a, b), 0)
  return { ...options, lost, withoutMajority, mostLoadedToMean: Number((most / mean).toFixed(2)) }
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const given = argv.slice(2).map(Number)
  const [nodeCount = 10_000, keyCount = 1_000_000, replicas = 5, deadShare = 0.5, seed = 1] = given
  const { StoringNodes } = await import('../dist/index.js')
  const { encodeBase58Integer } = await import('@p2p/serializer')
  const options = { nodeCount, keyCount, replicas, deadShare, seed }
  const result = measureSurvival({ StoringNodes, encodeBase58Integer }, options)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
