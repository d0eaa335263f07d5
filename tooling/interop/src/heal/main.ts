/**
 * A live dictionary of ours and the originals is cut in two while everybody writes, and healed: all of ours
 * have to hold the same afterwards, and no original may have lost a link through our fault.
 *
 *   node dist/heal/main.js [--cut-seconds 60] [--ours 4] [--py2p 2] [--js2p 2]
 *
 * Half of each kind is on either side (cuttable-network.ts). While the network is cut, every node sets keys
 * of its own each second, and ours on both sides the same keys, too. Ends with one line of JSON; status 1
 * when two of ours differ, an original that lost all links to ours did not get one back, one of ours
 * ended a link on its own side, or an original raised something over what it got from us.
 *
 * `lostLinks` names every link between ours and an original that ended, as our end saw it: where it
 * lay, when, and why. An original that raises over a message ends the link that the message came on, and
 * keeps the exception. So only what an original raised that has ended a link to one of ours can be over
 * something of ours (an old link: of two that were dialled at the same moment it ends either); `raised` counts those by their last line, less those known to be its own doing
 * (`ownFaults`), and `raisedElsewhere` the rest, for information: the originals break each other's links
 * when a minute's traffic arrives at once (spec/wire.md §8). `originalsBehind` counts keys of ours that
 * an original does not hold as ours do, for information, too: they do not converge by themselves
 * (spec/sync.md §8).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import * as z from 'zod/mini'
import { expectThat } from '../checks.ts'
import { findPrograms } from '../find-programs.ts'
import { loopbackHosts, withLab } from '../lab.ts'
import type { Lab, ProgramName } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { bytes, tagToText, text } from '../tagged.ts'
import type { Tagged } from '../tagged.ts'
import { CuttableNetwork } from './cuttable-network.ts'

const sides = ['left', 'right'] as const
const settleWithinSeconds = 120
const formWithinMs = 30_000
/** After all of ours agree: time in which a link that is about to fall does. */
const quietMs = 15_000
/**
 * How long an original may take to answer: js2p looks through a minute's messages for each one it sends,
 * and sends everything it has to whoever joins.
 */
const patienceMs = 90_000
/** How our end names a link that the other end, or the network, has ended. */
const endedByOther = /^P2P_(LINK_(CLOSED|RESET|LOST|FAILED|STALLED)|PEER_SILENT)/
/**
 * An original and one of ours dialled each other at the same moment: it may end either link, so ours ends
 * both and dials again (spec/mesh.md §3.4). Nothing is lost when it gets through.
 */
const crossed = /^P2P_CROSSED_LINKS/
/** A link this young may be one of two that were dialled at the same moment. */
const crossingMs = 10_000
/**
 * What originals run into without our help: py2p walks a table while its other thread changes it, and reads
 * a third item of another py2p's request for peers; both write to links that are gone.
 */
const ownFaults =
  /changed size during iteration|tuple index out of range|Broken pipe|BrokenPipe|Connection reset|ECONNRESET|EPIPE|Bad file descriptor|reading '0'/

interface Placed {
  readonly node: NodeProcess
  readonly side: string
  readonly isOurs: boolean
}

type Counts = ReadonlyMap<string, number>

interface LostLink {
  readonly link: string
  /** Id of our end. */
  readonly ours: string
  /** Id of the original. */
  readonly original: string
  readonly isAcross: boolean
  readonly phase: string
  readonly reason: string
  readonly ageMs: number
}

const itemsAnswer = z.looseObject({ items: z.array(z.tuple([z.unknown(), z.unknown()])) })
const digestAnswer = z.looseObject({ digest: z.string() })
const statusAnswer = z.looseObject({ status: z.union([z.string(), z.array(z.string())]) })
const peersAnswer = z.looseObject({ peers: z.array(z.string()) })

class Healing {
  readonly network = new CuttableNetwork()
  readonly placed: Placed[] = []
  readonly lostLinks: LostLink[] = []
  phase = 'before'
  written = 0
  refused = 0

  get ours(): readonly Placed[] {
    return this.placed.filter(({ isOurs }) => isOurs)
  }
  get originals(): readonly Placed[] {
    return this.placed.filter(({ isOurs }) => !isOurs)
  }

  async start(lab: Lab, groups: readonly (readonly [ProgramName, number])[]): Promise<void> {
    const hosts = await loopbackHosts(groups.reduce((sum, [, size]) => sum + size, 0))
    for (const [name, size] of groups) {
      for (let index = 0; index < size; index++) {
        const host = hosts?.[this.placed.length] ?? '127.0.0.1'
        await this.#startOne(lab, name, host, sides[index % 2] ?? 'left')
      }
    }
    const started = performance.now()
    while ((await this.strandedOriginals()).length > 0) {
      expectThat(performance.now() - started < formWithinMs, 'an original got no link')
      await delay(200)
    }
  }

  async #startOne(lab: Lab, name: ProgramName, host: string, side: string): Promise<void> {
    const { port, advertisedPort } = await this.network.place(host, side)
    const out = { host, port, out_addr: [host, advertisedPort] }
    const node = await lab.start(name, { kind: 'sync', ...out })
    this.network.name(node.id, side)
    const isOurs = name === 'p2p'
    const placed = { node, side, isOurs }
    // Ours dial: of two originals, or ours and an original, that dial at the same moment both lose the link.
    const onThisSide = this.ours.find((other) => other.side === side)
    const dialler = isOurs ? this.placed[0] : onThisSide
    this.placed.push(placed)
    if (isOurs) this.#watchLinks(placed)
    await dialler?.node.request('connect', { address: `tcp://${host}:${advertisedPort}` })
  }

  #watchLinks({ node, side }: Placed): void {
    const joinedMs = new Map<unknown, number>()
    node.onEvent(({ ev, id, reason }) => {
      if (ev === 'peer_join') joinedMs.set(id, performance.now())
      const other = this.originals.find((one) => one.node.id === id)
      if (ev !== 'peer_leave' || other === undefined) return
      this.lostLinks.push({
        link: `p2p ${node.id.slice(0, 6)} – ${other.node.name} ${other.node.id.slice(0, 6)}`,
        ours: node.id,
        original: other.node.id,
        isAcross: other.side !== side,
        phase: this.phase,
        reason: String(reason),
        ageMs: Math.round(performance.now() - (joinedMs.get(id) ?? 0)),
      })
    })
  }

  /** Every node sets a key of its own, and all of ours the same one. */
  async write(round: number): Promise<void> {
    await Promise.all(
      this.placed.map(async (one, index) => {
        const keys = [`${one.node.name} ${index} ${round}`, ...(one.isOurs ? [`all ${round}`] : [])]
        for (const key of keys) await this.#set(one, key, `${this.phase} ${index}`)
      }),
    )
  }

  async #set({ node, isOurs }: Placed, key: string, value: string): Promise<void> {
    try {
      await node.request('set', { key: bytes(new TextEncoder().encode(key)), value: text(value) })
      this.written++
    } catch (error) {
      // A neighbour was faster and holds the lease.
      if (!isOurs) throw error
      this.refused++
    }
  }

  async digests(): Promise<readonly string[]> {
    const answers = this.ours.map(({ node }) => node.request('digest'))
    return (await Promise.all(answers)).map((answer) => digestAnswer.parse(answer).digest)
  }

  /** Until all of ours hold the same; milliseconds. */
  async settle(): Promise<number> {
    const started = performance.now()
    const [first] = this.ours
    await first?.node.request(
      'settled',
      { wait: settleWithinSeconds },
      1_000 * settleWithinSeconds + 10_000,
    )
    while (new Set(await this.digests()).size > 1) {
      expectThat(performance.now() - started < 1_000 * settleWithinSeconds, 'ours still differ')
      await delay(200)
    }
    return Math.round(performance.now() - started)
  }

  /** Links on one side that we ended, and did not put another in the place of. */
  async endedByUs(): Promise<readonly LostLink[]> {
    const byUs: LostLink[] = []
    for (const lost of this.lostLinks) {
      if (lost.isAcross || endedByOther.test(lost.reason)) continue
      const end = this.ours.find(({ node }) => node.id === lost.ours)
      const { peers } = peersAnswer.parse(await end?.node.request('peers'))
      if (!crossed.test(lost.reason) || !peers.includes(lost.original)) byUs.push(lost)
    }
    return byUs
  }

  /** Originals that none of ours is linked to. */
  async strandedOriginals(): Promise<readonly string[]> {
    const linked = new Set<string>()
    for (const { node } of this.ours) {
      for (const id of peersAnswer.parse(await node.request('peers')).peers) linked.add(id)
    }
    const stranded = this.originals.filter(({ node }) => !linked.has(node.id))
    return stranded.map(({ node }) => `${node.name} ${node.id.slice(0, 6)}`)
  }

  /** What originals raised, by the last line of each, and how often: over us, perhaps, and over others. */
  async raised(): Promise<{ readonly byUs: Counts; readonly elsewhere: Counts }> {
    const raised = { byUs: new Map<string, number>(), elsewhere: new Map<string, number>() }
    for (const { node } of this.originals) {
      const endedOne = this.lostLinks.some(
        ({ original, reason, ageMs }) =>
          original === node.id && endedByOther.test(reason) && ageMs > crossingMs,
      )
      const counts = endedOne ? raised.byUs : raised.elsewhere
      for (const line of linesOf(await node.request('status', {}, patienceMs), node.name)) {
        counts.set(line, (counts.get(line) ?? 0) + 1)
      }
    }
    return raised
  }

  async keysBehind(): Promise<Readonly<Record<string, number | string>>> {
    const [first] = this.ours
    const wanted = first === undefined ? new Map<string, string>() : await itemsOf(first.node)
    const behind: Record<string, number | string> = {}
    for (const { node } of this.originals) {
      const name = `${node.name} ${node.id.slice(0, 6)}`
      try {
        const held = await itemsOf(node)
        behind[name] = [...wanted].filter(([key, value]) => held.get(key) !== value).length
      } catch (error) {
        behind[name] = error instanceof Error ? error.message : String(error)
      }
    }
    return behind
  }
}

/** The line that tells what happened, of each exception that is not known to be its own fault. */
function linesOf(answer: unknown, name: string): readonly string[] {
  const { status } = statusAnswer.parse(answer)
  const traces = typeof status === 'string' ? [] : status
  return traces
    .filter((trace) => !ownFaults.test(trace))
    .map((trace) => {
      const lines = trace.trim().split('\n')
      return `${name}: ${(name === 'py2p' ? lines.at(-1) : lines[0]) ?? ''}`
    })
}

async function itemsOf(node: NodeProcess): Promise<Map<string, string>> {
  const { items } = itemsAnswer.parse(await node.request('items', {}, patienceMs))
  return new Map(
    items.map(([key, value]) => [tagToText(key as Tagged) ?? '', JSON.stringify(value)]),
  )
}

const { values } = parseArgs({
  options: {
    'cut-seconds': { type: 'string', default: '60' },
    ours: { type: 'string', default: '4' },
    py2p: { type: 'string', default: '2' },
    js2p: { type: 'string', default: '2' },
  },
})
const programs = await findPrograms((line) => void process.stderr.write(`${line}\n`))
if (!programs.has('py2p')) throw new Error('this needs Python 3')
await withLab(programs, async (lab) => {
  const healing = new Healing()
  try {
    await healing.start(lab, [
      ['p2p', Number(values.ours)],
      ['py2p', Number(values.py2p)],
      ['js2p', Number(values.js2p)],
    ])
    await delay(5_000)
    await healing.write(0)
    await healing.settle()
    healing.phase = 'cut'
    healing.network.cut()
    const cutMs = performance.now()
    for (let round = 1; round <= Number(values['cut-seconds']); round++) {
      await healing.write(round)
      await delay(Math.max(0, cutMs + 1_000 * round - performance.now()))
    }
    const differed = new Set(await healing.digests()).size
    healing.phase = 'healed'
    healing.network.heal()
    const healedMs = await healing.settle()
    await delay(quietMs)
    const equal = new Set(await healing.digests()).size === 1
    const stranded = await healing.strandedOriginals()
    const byUs = await healing.endedByUs()
    const raised = await healing.raised()
    const { written, refused, lostLinks } = healing
    const isSpared = byUs.length === 0 && raised.byUs.size === 0
    const ok = equal && differed > 1 && stranded.length === 0 && isSpared
    const originalsBehind = await healing.keysBehind()
    const result = { equal, differed, healedMs, written, refused, stranded, lostLinks }
    const exceptions = {
      raised: Object.fromEntries(raised.byUs),
      raisedElsewhere: Object.fromEntries(raised.elsewhere),
    }
    const reported = { ...result, ...exceptions, originalsBehind }
    process.stdout.write(`${JSON.stringify({ check: 'heal', ok, ...reported })}\n`)
    if (!ok) process.exitCode = 1
    // One that is still going through its list would not end by itself.
    for (const { node } of healing.originals) await lab.crash(node)
  } catch (error) {
    // The lab may have something to say as well when it stops the nodes.
    process.stderr.write(`${String(error)} (${healing.phase}, ${healing.written} written)\n`)
    throw error
  } finally {
    await healing.network.close()
  }
})
