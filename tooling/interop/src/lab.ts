/** Starts nodes for one scenario and ends them all when it is over, whatever happened. */
import { createServer } from 'node:net'
import { NodeProcess } from './node-process.ts'
import type { NodeProgram } from './node-process.ts'
import { p2pProgram } from './programs.ts'

export type ProgramName = 'p2p' | 'js2p' | 'py2p' | 'p2py' | 'browser'
export type Programs = ReadonlyMap<ProgramName, NodeProgram>

export class Lab {
  readonly #programs: Programs
  readonly #nodes: NodeProcess[] = []

  constructor(programs: Programs) {
    this.#programs = programs
  }

  /** A running node that listens; `listen` takes the fields of the command. */
  async start(
    name: ProgramName,
    listen: Readonly<Record<string, unknown>> = {},
    timeoutMs?: number,
  ): Promise<NodeProcess> {
    // Our binary is told the kind of node when it is started; the drivers take it from `listen`.
    const kind = listen['kind']
    const isOther = name === 'p2p' && typeof kind === 'string'
    const program = isOther ? p2pProgram(kind) : this.#programs.get(name)
    if (program === undefined) throw new Error(`${name} is not available`)
    const node = new NodeProcess(program)
    this.#nodes.push(node)
    await node.listen({ kind: 'mesh', host: '127.0.0.1', port: 0, ...listen }, timeoutMs)
    return node
  }

  /** Ends this node's process without warning. */
  async crash(node: NodeProcess): Promise<void> {
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
    await node.kill()
  }

  /** Stops every node; rejects when one had to be killed or did not end with status 0. */
  async stop(): Promise<void> {
    const nodes = this.#nodes.splice(0)
    const statuses = await Promise.all(nodes.map((node) => node.stop()))
    const bad = nodes.findIndex((_, index) => statuses[index] !== 0)
    const node = nodes[bad]
    if (node !== undefined)
      throw new Error(
        `${node.name} ended with ${statuses[bad] ?? 'a kill'}: ${node.stderr.slice(-500)}`,
      )
  }
}

/** Opens a lab for `run` and closes it afterwards. */
export async function withLab(programs: Programs, run: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = new Lab(programs)
  try {
    await run(lab)
  } finally {
    await lab.stop()
  }
}

/**
 * Loopback addresses, one per node: js2p never dials a host it has a link to already, so nodes that
 * share one would not find each other. Undefined where only 127.0.0.1 exists (macOS).
 */
export async function loopbackHosts(count: number): Promise<readonly string[] | undefined> {
  const hosts = Array.from({ length: count }, (_, index) => `127.0.1.${index + 11}`)
  const usable = await Promise.all(hosts.map(canListen))
  return usable.every(Boolean) ? hosts : undefined
}

function canListen(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(0, host, () => server.close(() => resolve(true)))
  })
}
