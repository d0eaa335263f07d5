/**
 * `p2p chat ROOM`: a chat without a server. A room is a topic of the mesh: every node of the network
 * relays it, those in the room show it.
 *
 *   p2p chat tea --listen tcp://0.0.0.0:4444
 *   p2p chat tea --connect tcp://192.168.1.7:4444
 *   p2p chat tea --seed tcp://198.51.100.7:44565 --listen tcp://0.0.0.0:0
 *
 * On the wire a line is a broadcast ['chat', room, line], so py2p and js2p programs can join in.
 */
import { createInterface } from 'node:readline'
import { bootstrap } from '@p2p/chord'
import { MeshNode } from '@p2p/mesh'
import { describeFailure } from '../node/line-error.ts'
import { chatMark } from '../view/world-event.ts'
import { invocation } from './invocation.ts'
import { printable } from './printable.ts'
import { withProgress } from './progress.ts'
import { reachHint } from './reach.ts'
import { checkAddresses } from './wrong-usage.ts'

export interface ChatOptions {
  readonly listen: readonly string[]
  readonly connect: readonly string[]
  readonly seed: readonly string[]
  readonly json: boolean
}

type ChatEvent =
  | { readonly ev: 'open'; readonly id: string; readonly addresses: readonly string[] }
  | { readonly ev: 'peer_join' | 'peer_leave'; readonly id: string }
  | { readonly ev: 'error'; readonly code: string; readonly error: string }
  | { readonly ev: 'line'; readonly sender: string; readonly text: string }

export async function runChat(room: string, options: ChatOptions): Promise<void> {
  const { listen, connect, seed, json } = options
  checkAddresses({ '--listen': listen, '--connect': connect, '--seed': seed })
  const opening = MeshNode.open({
    listen: listen.length > 0 ? listen : 'tcp://127.0.0.1:0',
    connect,
  })
  const node = await withProgress('joining', opening)
  const show = (event: ChatEvent): void => {
    const text = json ? JSON.stringify(event) : describe(event, room)
    process.stdout.write(`${text}\n`)
  }
  // Before anything is shown: who sees it may press Ctrl-C at once.
  const input = createInterface({ input: process.stdin })
  // What is typed, or ends, while seeds are asked is not lost on who iterates from the start.
  const lines = input[Symbol.asyncIterator]()
  const ending = new AbortController()
  const end = (): void => {
    input.close()
    ending.abort()
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  show({ ev: 'open', id: node.id, addresses: node.addresses })
  for (const id of node.peers.keys()) show({ ev: 'peer_join', id })
  node.on('peer:join', ({ id }) => show({ ev: 'peer_join', id }))
  node.on('peer:leave', ({ peer: { id } }) => show({ ev: 'peer_leave', id }))
  node.on('error', ({ code, message }) => show({ ev: 'error', code, error: message }))
  node.on('message', ({ sender, packets: [mark, where, text] }) => {
    if (mark !== chatMark || where !== room || typeof text !== 'string') return
    show({ ev: 'line', sender, text })
  })
  let asked: Promise<void> | undefined
  try {
    const hint = reachHint(node.addresses, seed)
    if (hint !== undefined) process.stderr.write(`p2p: ${hint}\n`)
    asked = seed.length > 0 ? askSeeds(node, seed, ending.signal) : undefined
    const say = (line: string): void => void node.broadcast(chatMark, room, line)
    await sayLines(lines, { node, asked, say })
  } finally {
    end()
    await asked
    process.off('SIGINT', end)
    process.off('SIGTERM', end)
    await node.close()
    process.stdin.destroy()
  }
}

/**
 * Says the lines until they end, or `/quit` comes. While nobody is linked and seeds are asked, lines wait for
 * somebody to hear them; the end of the lines waits with them, `/quit` does not.
 */
async function sayLines(
  lines: AsyncIterator<string>,
  chat: {
    readonly node: MeshNode
    readonly asked: Promise<void> | undefined
    readonly say: (line: string) => void
  },
): Promise<void> {
  const { node, asked, say } = chat
  const waiting: string[] = []
  let isAsking = asked !== undefined
  const sayWaiting = (): void => {
    if (!isAsking || node.peers.size > 0) for (const line of waiting.splice(0)) say(line)
  }
  node.on('peer:join', sayWaiting)
  const answered = asked?.then(() => {
    isAsking = false
    sayWaiting()
  })
  for (;;) {
    const next = await lines.next()
    if (next.done === true) break
    if (next.value === '/quit') return
    if (next.value !== '') waiting.push(next.value)
    sayWaiting()
  }
  await answered
}

/** A chat goes on without seeds: others may know it, or be told its address. */
async function askSeeds(
  node: MeshNode,
  seeds: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await withProgress('asking the seeds', bootstrap(node, { seeds, signal }))
  } catch (error) {
    if (!signal.aborted) process.stderr.write(`p2p: ${printable(describeFailure(error).error)}\n`)
  }
}

function describe(event: ChatEvent, room: string): string {
  switch (event.ev) {
    case 'open':
      return event.addresses
        .map(
          (address) =>
            `* you are ${nickname(event.id)}; others join with: ${invocation} chat ${room} --connect ${address}`,
        )
        .join('\n')
    case 'peer_join':
      return `* linked to ${nickname(event.id)}`
    case 'peer_leave':
      return `* lost ${nickname(event.id)}`
    case 'error':
      return `* ${event.code}: ${printable(event.error)}`
    case 'line':
      return `${nickname(event.sender)}: ${printable(event.text)}`
  }
}

/** The end of an id: its first characters are the same in many. */
function nickname(id: string): string {
  return printable(id.slice(-6))
}
