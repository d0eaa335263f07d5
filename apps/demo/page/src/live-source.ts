/**
 * The real network. The tab is a node itself, one in each network, over WebSocket: what it says, sets
 * and looks up goes that way. The control channel only shows the rest and does what a person does to it.
 */
import { ChordNode } from '@p2p/chord'
import { MeshNode } from '@p2p/mesh'
import { SyncNode } from '@p2p/sync'
import { show } from '../../src/view/describe-frame.ts'
import { chatMark, demoRoom } from '../../src/view/world-event.ts'
import type { ControlCommand, Welcome, WorldEvent } from '../../src/view/world-event.ts'
import type { Source } from './source.ts'
import { World } from './world.ts'

/** An orphaned tab dials its door again by itself; there is nothing else to do for it. */
const limits = { targetOutgoing: 2, maxNeighbours: 8 }

/** Resolves once the page knows the network and its nodes are in it. */
export async function openLiveSource(): Promise<Source> {
  const world = new World()
  const channel = new EventSource('events')
  const welcome = await firstWelcome(channel, world)
  const { doors, subnets } = welcome
  const options = (name: 'mesh' | 'sync' | 'chord') => ({
    connect: doors[name] ?? [],
    subnet: subnets[name] ?? name,
  })
  const [mesh, sync, chord] = await Promise.all([
    MeshNode.open({ ...options('mesh'), limits }),
    SyncNode.open({ ...options('sync'), limits }),
    ChordNode.open(options('chord')),
  ])
  watch(world, mesh, sync)
  const seconds = setInterval(() => world.closeSecond(Date.now()), 1_000)
  const ownIds = new Set([mesh.id, sync.id, chord.id])
  return {
    world,
    ownIds,
    viewpoint: chord.id,
    get status() {
      const up = [mesh, sync, chord].filter((node) => node.peers.size > 0).length
      return channel.readyState === EventSource.CLOSED
        ? 'the demo has ended'
        : `this tab is a node in ${up} of 3 networks`
    },
    command: (command) => post(command, world),
    say: (text) => {
      mesh.broadcast(chatMark, demoRoom, text)
      world.apply([{ type: 'heard', node: mesh.id, sender: mesh.id, text }])
    },
    dictionary: dictionaryOf(sync),
    table: {
      set: (key, value) => chord.set(key, value),
      get: async (key) => {
        const value = await chord.get(key)
        return value === undefined ? undefined : show(value)
      },
      locate: (key) => chord.locate(key),
    },
    close: async () => {
      clearInterval(seconds)
      channel.close()
      await Promise.all([mesh.close(), sync.close(), chord.close()])
    },
  }
}

function firstWelcome(channel: EventSource, world: World): Promise<Welcome> {
  return new Promise((resolve, reject) => {
    channel.onmessage = ({ data }: MessageEvent<string>) => {
      // Written by the demo's own server.
      const message = JSON.parse(data) as
        Welcome | { readonly type: 'events'; readonly events: readonly WorldEvent[] }
      world.apply(message.events)
      if (message.type === 'welcome') resolve(message)
    }
    channel.onerror = () => {
      if (channel.readyState !== EventSource.CLOSED && world.nodes.size > 0) return
      reject(new Error('the demo does not answer: is it running?'))
      // Nobody is there any more: asking again and again would only fill the console.
      channel.close()
      world.changed()
    }
  })
}

function watch(world: World, mesh: MeshNode, sync: SyncNode): void {
  mesh.on('message', ({ sender, packets: [mark, room, text] }) => {
    if (mark === chatMark && room === demoRoom && typeof text === 'string')
      world.apply([{ type: 'heard', node: mesh.id, sender, text }])
  })
  const held = (key: unknown, value: string | null): void => {
    if (typeof key === 'string') world.apply([{ type: 'held', node: sync.id, key, value }])
  }
  for (const [key, value] of sync.entries()) held(key, show(value))
  sync.on('update', ({ key, value }) => held(key, show(value)))
  sync.on('delete', ({ key }) => held(key, null))
  sync.on('conflict', ({ key }) => world.note(`conflict: a write of ${String(key)} was lost`))
}

function dictionaryOf(sync: SyncNode): NonNullable<Source['dictionary']> {
  return {
    rows: () =>
      [...sync.entries()].flatMap(([key, value]) => {
        if (typeof key !== 'string') return []
        const lease = sync.lease(key)
        return [
          {
            key,
            value: show(value),
            owner: sync.meta(key)?.owner ?? '',
            leaseSeconds:
              lease === undefined
                ? undefined
                : Math.ceil(lease.expiresAtSeconds - Date.now() / 1_000),
          },
        ]
      }),
    set: (key, value) => sync.set(key, value),
    remove: (key) => void sync.delete(key),
  }
}

async function post(command: ControlCommand, world: World): Promise<void> {
  const body = JSON.stringify(command)
  const headers = { 'content-type': 'application/json' }
  const response = await fetch('command', { method: 'POST', body, headers })
  if (command.op === 'heal') world.clearCuts()
  if (response.ok) return
  const { error } = (await response.json().catch(() => ({}))) as { readonly error?: string }
  throw new Error(error ?? `the demo answered ${response.status}`)
}
