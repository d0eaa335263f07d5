// How evenly nodes share the load, with the code by which they choose their places. Every key has five
// places that are as good as random, so the share of the ring is the share of the keys. Two ways to come:
//
//   one by one    each knows all that came before it
//   at once       nobody knows of anybody, so all stand at random; then they move, round by round, those
//                 of one round without knowing of each other
//
// Prints one JSON line per number of nodes and way.
//   node scripts/load-balance.mjs [nodes,nodes…] [tries] [replicas] [seeds]
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'
import { randomPosition, seededRandom } from './seeded-random.mjs'

const mostRounds = 1_000

/**
 * `mostToMean`: the load of the node with most, over the mean; the worst of all seeds. `moves` and `rounds`
 * until nobody is to move, the means of the seeds.
 */
export function measureLoad(code, options) {
  const { nodeCount, tries, replicas, seeds, way } = options
  const runs = Array.from({ length: seeds }, (_, index) => {
    const random = bytesOf(seededRandom(index + 1))
    const draw = () => code.encodeBase58Integer(randomPosition(seededRandomOf(random)))
    const ring = new Ring(code, { replicas, random, tries })
    for (let count = 0; count < nodeCount; count += 1) ring.add(draw(), way === 'one by one')
    return { ...(way === 'at once' && ring.settle()), mostToMean: ring.mostToMean() }
  })
  const mean = (pick) => runs.reduce((sum, run) => sum + pick(run), 0) / seeds
  return {
    ...options,
    mostToMean: rounded(Math.max(...runs.map((run) => run.mostToMean))),
    ...(way === 'at once' && {
      moves: rounded(mean(({ moves }) => moves)),
      rounds: rounded(mean(({ rounds }) => rounds)),
    }),
  }
}

class Ring {
  #code
  #options
  #nodes
  #shifts = new Map()

  constructor(code, options) {
    this.#code = code
    this.#options = options
    this.#nodes = new code.StoringNodes()
  }

  add(id, chooses) {
    const places = chooses ? this.#code.placesOf(this.#nodes) : []
    const shift = chooses ? this.#code.bestShift(id, places, this.#options) : 0
    this.#nodes.add(id, false, shift)
  }

  mostToMean() {
    return this.#code.mostToMean(this.#code.placesOf(this.#nodes), this.#options.replicas)
  }

  settle() {
    const { placesOf, chanceToMove, bestShift } = this.#code
    let moves = 0
    let rounds = 0
    for (; rounds < mostRounds; rounds += 1) {
      const places = placesOf(this.#nodes)
      const ids = [...this.#nodes.values()].map(({ id }) => id)
      const chance = chanceToMove(places, this.#options.replicas)
      if (chance === 0) break
      for (const index of places.keys()) {
        const [byte = 0, lower = 0] = this.#options.random(2)
        if (byte * 256 + lower >= chance * 65_536) continue
        const others = places.filter((_, other) => other !== index)
        const ownShift = this.#shifts.get(ids[index]) ?? 0
        const shift = bestShift(ids[index], others, { ...this.#options, ownShift })
        if (shift === ownShift) continue
        this.#shifts.set(ids[index], shift)
        this.#nodes.delete(ids[index])
        this.#nodes.add(ids[index], false, shift)
        moves += 1
      }
    }
    return { moves, rounds }
  }
}

const bytesOf = (random) => (count) => Uint8Array.from({ length: count }, () => random() & 0xff)
const seededRandomOf = (bytes) => () => bytes(4).reduce((number, byte) => number * 256 + byte, 0)

const rounded = (figure) => Number(figure.toFixed(3))

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const [sizes = '30,100,1000,10000', tries = '64', replicas = '5', seeds = '3'] = argv.slice(2)
  const chord = await import('../dist/index.js')
  const { encodeBase58Integer } = await import('@p2p/serializer')
  let worst = 0
  for (const size of sizes.split(',')) {
    const options = { nodeCount: Number(size), tries: Number(tries), replicas: Number(replicas) }
    for (const way of ['one by one', 'at once']) {
      const code = { ...chord, encodeBase58Integer }
      const result = measureLoad(code, { ...options, seeds: Number(seeds), way })
      worst = Math.max(worst, result.mostToMean)
      process.stdout.write(`${JSON.stringify(result)}\n`)
    }
  }
  if (worst > 1.7) process.exitCode = 1
}
