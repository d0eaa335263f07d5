/**
 * Sending something from one node and seeing it arrive at another. Every message starts with a
 * text of its own, by which it is found again.
 */
import { expectThat } from './checks.ts'
import { isMessageEvent } from './node-process.ts'
import type { MessageEvent, NodeProcess } from './node-process.ts'
import { integer, tagToText, text } from './tagged.ts'
import type { Tagged } from './tagged.ts'

const broadcastFlag = integer(0)
const whisperFlag = integer(2)

/** Shorter than other waits: between foreign programs some replies are known never to come. */
const replyTimeoutMs = 4_000

let messageCount = 0

/** A text no other message of this run begins with. */
export function freshText(): string {
  messageCount += 1
  return `interop message ${messageCount}`
}

/** First packet behind the sub-flag, when it is text. */
export function titleOf(message: MessageEvent): string | undefined {
  const { packets } = message
  const first = packets.t === 'array' ? packets.v[1] : undefined
  return first === undefined ? undefined : tagToText(first)
}

/** Waits for the message with this title; checks originator, sub-flag and packets. */
async function expectArrival(
  from: NodeProcess,
  to: NodeProcess,
  flag: Tagged,
  args: readonly Tagged[],
  timeoutMs?: number,
): Promise<MessageEvent> {
  const [title] = args
  expectThat(title?.t === 'str', 'a message begins with its title')
  const found = await to.waitFor(
    `"${title.v}" from ${from.name}`,
    (event) => isMessageEvent(event) && titleOf(event) === title.v,
    { timeoutMs },
  )
  expectThat(isMessageEvent(found), 'not a message')
  const sender = tagToText(found.sender)
  expectThat(sender === from.id, `sender is ${String(sender)}, expected ${from.id}`)
  const got = JSON.stringify(found.packets)
  const expected = JSON.stringify({ t: 'array', v: [flag, ...args] })
  expectThat(got === expected, `packets ${got.slice(0, 300)}, expected ${expected.slice(0, 300)}`)
  return found
}

/** A broadcast by `from` arrives at every node of `to`; resolves with its id and time. */
export async function expectBroadcast(
  from: NodeProcess,
  to: readonly NodeProcess[],
  packets: readonly Tagged[] = [],
  timeoutMs?: number,
): Promise<{ readonly id: string; readonly ms: number }> {
  const args = [text(freshText()), ...packets]
  const started = performance.now()
  const { id } = await from.request('send', { args }, timeoutMs)
  const arrivals = await Promise.all(
    to.map((node) => expectArrival(from, node, broadcastFlag, args, timeoutMs)),
  )
  for (const arrival of arrivals)
    expectThat(arrival.id === id, `message id ${arrival.id}, sent as ${String(id)}`)
  return { id: String(id), ms: performance.now() - started }
}

/** `replier` answers the message with this id, which `asker` had sent. */
export async function expectReply(
  replier: NodeProcess,
  asker: NodeProcess,
  to: string,
): Promise<string> {
  const args = [text(freshText()), integer(42)]
  const started = performance.now()
  await replier.request('reply', { to, args })
  await expectArrival(replier, asker, whisperFlag, args, replyTimeoutMs)
  return `${(performance.now() - started).toFixed(1)} ms`
}

/** A private message to a neighbour. */
export async function expectWhisper(from: NodeProcess, to: NodeProcess): Promise<string> {
  const args = [text(freshText())]
  const started = performance.now()
  await from.request('whisper', { peer: to.id, args })
  await expectArrival(from, to, whisperFlag, args)
  return `${(performance.now() - started).toFixed(1)} ms`
}

/** Titles this node received more than once. */
export function duplicateTitles(node: NodeProcess): readonly string[] {
  const counts = new Map<string, number>()
  for (const message of node.messages) {
    const title = titleOf(message)
    if (title !== undefined) counts.set(title, (counts.get(title) ?? 0) + 1)
  }
  return [...counts].filter(([, count]) => count > 1).map(([title]) => title)
}
