/** The transports besides TCP: two nodes over TLS (`SSL` to the originals) and over WebSocket. */
import { randomBytes } from 'node:crypto'
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { duplicateTitles, expectBroadcast, expectReply, expectWhisper } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { Lab, ProgramName, Programs } from '../lab.ts'
import { NodeProcessError } from '../node-process.ts'
import type { NodeProcess } from '../node-process.ts'
import { bytes } from '../tagged.ts'

const oneMebibyte = 1_048_576

/** What each program listens on besides TCP, by the names the originals have for it. */
const encryptions: Readonly<Record<ProgramName, readonly string[]>> = {
  p2p: ['SSL', 'ws', 'wss'],
  js2p: ['SSL', 'ws'],
  py2p: ['SSL'],
  p2py: [],
  browser: [],
}

/** Connect, talk both ways, part; once per transport that both have. */
export async function runTransports(programs: Programs, side: Side, checks: Checks): Promise<void> {
  const [a, b] = [side.a as ProgramName, side.b as ProgramName]
  for (const encryption of encryptions[a].filter((name) => encryptions[b].includes(name)))
    await withLab(programs, async (lab) => {
      const pair = await startOver(lab, encryption, [a, b])
      if (pair === undefined) checks.skip(side, `over ${encryption}`, 'py2p has no SSL here')
      else await checks.check(side, `over ${encryption}`, () => talk(pair, side.dialler))
    })
}

async function startOver(
  lab: Lab,
  encryption: string,
  names: readonly [ProgramName, ProgramName],
): Promise<readonly [NodeProcess, NodeProcess] | undefined> {
  try {
    return [await lab.start(names[0], { encryption }), await lab.start(names[1], { encryption })]
  } catch (error) {
    if (error instanceof NodeProcessError && error.code === 'P2P_NO_TRANSPORT') return undefined
    throw error
  }
}

async function talk(
  [a, b]: readonly [NodeProcess, NodeProcess],
  dialler: 'a' | 'b',
): Promise<string> {
  const [from, to] = dialler === 'a' ? [a, b] : [b, a]
  await from.request('connect', { address: to.address })
  await Promise.all([a.waitForPeer(b.id), b.waitForPeer(a.id)])
  const times: string[] = []
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const { id, ms } = await expectBroadcast(one, [other])
    times.push(`${ms.toFixed(1)} ms`)
    await expectWhisper(one, other)
    if (other.name === 'p2p') await expectReply(other, one, id)
    await expectBroadcast(one, [other], [bytes(randomBytes(oneMebibyte))])
    expectThat(duplicateTitles(other).length === 0, `${other.name} got something twice`)
  }
  await b.request('close')
  await a.waitForLeave(b.id)
  return `broadcasts ${times.join(', ')}; 1 MiB both ways`
}
