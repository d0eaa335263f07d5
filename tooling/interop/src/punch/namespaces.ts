/**
 * Two peers behind two NATs and a rendezvous server between them, in network namespaces:
 *
 *   peer A 10.71.0.2 ── NAT A 203.0.113.11 ── hub ── NAT B 203.0.113.12 ── 10.72.0.2 peer B
 *                                             203.0.113.1 rendezvous server
 *
 * Needs root, `ip` and `nft`. Nothing leaves the namespaces; `close()` removes all of them.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** `keeps`: one outside port per inside port. `random`: another one for each destination. */
export type NatKind = 'keeps' | 'random'
/** What a NAT does with a connection from outside that nobody asked for. */
export type NatAnswer = 'drop' | 'reset'

export interface Topology {
  readonly natA: NatKind
  readonly natB: NatKind
  readonly answer: NatAnswer
  /** One way, between the NATs. */
  readonly delayMs: number
  readonly jitterMs: number
  readonly lossPercent: number
}

export const serverHost = '203.0.113.1'
export const peerHosts = { a: '10.71.0.2', b: '10.72.0.2' } as const

const hubLifeSeconds = 600

/** Why namespaces cannot be used here; undefined when they can. */
export function namespacesUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  for (const program of ['ip', 'nft', 'python3']) {
    if (spawnSync(program, ['-V']).error !== undefined) return `${program} is not installed`
  }
  const probe = `p2p${process.pid}probe`
  const made = spawnSync('ip', ['netns', 'add', probe])
  spawnSync('ip', ['netns', 'del', probe])
  return made.status === 0 ? undefined : 'this system lets nobody make network namespaces'
}

export class Namespaces {
  readonly #prefix = `p2p${process.pid}`
  #hub: ChildProcess | undefined

  static async open(topology: Topology): Promise<Namespaces> {
    const namespaces = new Namespaces()
    try {
      await namespaces.#build(topology)
    } catch (error) {
      namespaces.close()
      throw error
    }
    return namespaces
  }

  /** Command line that runs a program at one place: `net` is where the server is. */
  at(place: 'net' | 'a' | 'b'): readonly string[] {
    return ['ip', 'netns', 'exec', `${this.#prefix}${place}`]
  }

  close(): void {
    this.#hub?.kill()
    for (const place of ['net', 'na', 'nb', 'a', 'b']) {
      spawnSync('ip', ['netns', 'del', `${this.#prefix}${place}`])
    }
  }

  async #build(topology: Topology): Promise<void> {
    for (const place of ['net', 'na', 'nb', 'a', 'b']) {
      run('ip', 'netns', 'add', `${this.#prefix}${place}`)
      this.#ip(place, 'link', 'set', 'lo', 'up')
    }
    await this.#startHub(topology)
    this.#ip('net', 'addr', 'add', `${serverHost}/24`, 'dev', 'wan')
    this.#ip('net', 'link', 'set', 'wan', 'up')
    for (const side of ['a', 'b'] as const) {
      const nat = `n${side}`
      const inside = peerHosts[side].replace(/2$/, '1')
      this.#ip(nat, 'addr', 'add', `203.0.113.${side === 'a' ? 11 : 12}/24`, 'dev', 'wan')
      this.#ip(nat, 'link', 'set', 'wan', 'up')
      const names = [`${this.#prefix}${nat}`, `${this.#prefix}${side}`] as const
      run(
        'ip',
        '-n',
        names[0],
        'link',
        'add',
        'lan',
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        names[1],
      )
      this.#ip(nat, 'addr', 'add', `${inside}/24`, 'dev', 'lan')
      this.#ip(nat, 'link', 'set', 'lan', 'up')
      this.#ip(side, 'addr', 'add', `${peerHosts[side]}/24`, 'dev', 'eth0')
      this.#ip(side, 'link', 'set', 'eth0', 'up')
      this.#ip(side, 'route', 'add', 'default', 'via', inside)
      run('ip', 'netns', 'exec', names[0], 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
    }
    this.#rules('na', topology.natA, topology.answer)
    this.#rules('nb', topology.natB, topology.answer)
  }

  async #startHub({ delayMs, jitterMs, lossPercent }: Topology): Promise<void> {
    const hub = fileURLToPath(new URL('../../drivers/delay_hub.py', import.meta.url))
    const places = ['net', 'na', 'nb'].map((place) => `${this.#prefix}${place}:wan`)
    const numbers = [delayMs, jitterMs, lossPercent, hubLifeSeconds].map(String)
    this.#hub = spawn('python3', ['-B', hub, ...numbers, ...places], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const { stdout } = this.#hub
    if (stdout === null) throw new Error('the hub has no output')
    await Promise.race([
      once(stdout, 'data'),
      once(this.#hub, 'exit').then(() => Promise.reject(new Error('the hub ended'))),
    ])
  }

  #rules(nat: string, kind: NatKind, answer: NatAnswer): void {
    const masquerade = kind === 'keeps' ? 'masquerade' : 'masquerade fully-random'
    const refuse = answer === 'drop' ? 'drop' : 'ip protocol tcp reject with tcp reset'
    const rules = `flush ruleset
table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    oifname "wan" ${masquerade}
  }
}
table ip guard {
  chain through {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan" accept
  }
  chain inside {
    type filter hook input priority 0; policy accept;
    ct state established,related accept
    iifname "wan" ${refuse}
  }
}
`
    run('ip', 'netns', 'exec', `${this.#prefix}${nat}`, 'nft', '-f', '-', { input: rules })
  }

  #ip(place: string, ...args: string[]): void {
    run('ip', '-n', `${this.#prefix}${place}`, ...args)
  }
}

function run(...parts: (string | { readonly input: string })[]): void {
  const [program = '', ...args] = parts.filter((part) => typeof part === 'string')
  const input = parts.find((part) => typeof part === 'object')?.input
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  })
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr}`)
}
