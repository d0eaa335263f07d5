/**
 * A browser tab as a full node over WebSocket: in one network with a py2p node that only has TCP, by
 * way of a node of ours that listens on both and bridges them; and with js2p directly.
 */
import { expectThat } from '../checks.ts'
import type { Checks, Side } from '../checks.ts'
import { duplicateTitles, expectBroadcast, expectReply, expectWhisper } from '../exchange.ts'
import { withLab } from '../lab.ts'
import type { Programs } from '../lab.ts'
import type { NodeProcess } from '../node-process.ts'
import { bytes } from '../tagged.ts'

const fewPackets = [bytes(new Uint8Array(200_000).fill(7))]
/** A browser takes a while to start on a busy machine. */
const startTimeoutMs = 60_000

export async function runBrowserBesidePython(
  programs: Programs,
  side: Side,
  checks: Checks,
): Promise<void> {
  await withLab(programs, async (lab) => {
    const bridge = await lab.start('p2p', { listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'] })
    const python = await lab.start('py2p')
    const tab = await lab.start('browser', {}, startTimeoutMs)
    const all = [tab, bridge, python]
    await checks.check(side, 'tab joins through a bridge', async () => {
      await python.request('connect', { address: addressOf(bridge, 'tcp') })
      await tab.request('connect', { address: addressOf(bridge, 'ws') })
      await Promise.all([bridge.waitForPeer(tab.id), bridge.waitForPeer(python.id)])
      return 'py2p over TCP, tab over WebSocket'
    })
    await checks.check(side, 'messages both ways through the bridge', async () => {
      const times: string[] = []
      for (const from of all) {
        const others = all.filter((node) => node !== from)
        times.push(`${(await expectBroadcast(from, others)).ms.toFixed(1)} ms`)
        await expectBroadcast(from, others, fewPackets)
      }
      for (const node of all)
        expectThat(duplicateTitles(node).length === 0, `${node.name} got one twice`)
      return times.join(', ')
    })
    await checks.check(side, 'tab and bridge whisper and reply', async () => {
      await expectWhisper(tab, bridge)
      await expectWhisper(bridge, tab)
      const { id } = await expectBroadcast(bridge, [tab])
      return expectReply(tab, bridge, id)
    })
    await checks.check(side, 'a closed tab is seen', async () => {
      await tab.request('close')
      await bridge.waitForLeave(tab.id)
      return ''
    })
  })
}

export async function runBrowserPair(
  programs: Programs,
  side: Side,
  checks: Checks,
): Promise<void> {
  await withLab(programs, async (lab) => {
    const other = await lab.start('js2p', { encryption: 'ws' })
    const tab = await lab.start('browser', {}, startTimeoutMs)
    await checks.check(side, 'tab and js2p talk directly', async () => {
      await tab.request('connect', { address: other.address })
      await other.waitForPeer(tab.id)
      const { id } = await expectBroadcast(other, [tab], fewPackets)
      await expectBroadcast(tab, [other], fewPackets)
      await expectWhisper(other, tab)
      return expectReply(tab, other, id)
    })
  })
}

function addressOf(node: NodeProcess, scheme: string): string {
  const address = node.addresses.find((one) => one.startsWith(`${scheme}:`))
  if (address === undefined) throw new Error(`${node.name} does not listen on ${scheme}`)
  return address
}
