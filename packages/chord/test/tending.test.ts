/** What a node of ours does for the slots of the old owner ahead of it. */
import { describe, expect, test } from '@jest/globals'
import type { Now } from '@p2p/base'
import { decodeValue, encodeBase58Integer, encodeValue, utf8Encode } from '@p2p/serializer'
import { slotsOf, type Slot } from '../src/protocol/hash-tables.ts'
import { KeyList } from '../src/protocol/key-list.ts'
import { SlotStore } from '../src/protocol/slot-store.ts'
import { StoringNodes } from '../src/protocol/storing-nodes.ts'
import { Tending } from '../src/protocol/tending.ts'

const utcSeconds = 1_500_000_000
const at = (monoMs: number): Now => ({ monoMs, utcSeconds: utcSeconds + monoMs / 1_000 })
const key = utf8Encode('key')
const [slot] = slotsOf(key) as readonly [Slot]
const owner = encodeBase58Integer(slot.position)
const me = encodeBase58Integer(slot.position - 10n)
const value = encodeValue('v')
const other = encodeValue('other')
/** Long before the time of the tests. */
const old = { time: (utcSeconds - 3_600) * 1_000, writer: 'w' }

class Scene {
  readonly slots = new SlotStore()
  readonly nodes = new StoringNodes()
  readonly keys = new KeyList(1_000)
  readonly tending: Tending
  /** What was done since the last look: asked, given, deleted at the owner; kept or erased here. */
  #done: string[] = []
  tends = true

  constructor() {
    const text = (bytes: Uint8Array | undefined): string =>
      bytes === undefined ? 'nothing' : String(decodeValue(bytes))
    this.tending = new Tending({
      id: me,
      slots: this.slots,
      nodes: this.nodes,
      keys: this.keys,
      tends: () => this.tends,
      ownerOf: ({ position }) => {
        const id = this.nodes.ownerOf(position)?.id
        return id === me ? undefined : id
      },
      ask: (one) => {
        if (one.slotText === slot.slotText) this.#done.push('ask')
      },
      storeAt: (one, bytes) => {
        if (one.slotText === slot.slotText) this.#done.push(`give ${text(bytes)}`)
      },
      keep: (_slot, bytes) => this.#done.push(`keep ${text(bytes)}`),
    })
    this.nodes.add(me)
    this.nodes.add(owner, true)
  }

  hold(what: Uint8Array | undefined, version = old): void {
    this.slots.put(slot, { value: what, version, key })
  }

  /** What happens up to then, deadline by deadline. */
  until(monoMs: number): readonly string[] {
    for (let next = this.tending.nextDeadline(); next <= monoMs; next = this.tending.nextDeadline())
      this.tending.handleDeadline(at(next))
    return this.#done.splice(0)
  }

  /** What comes of it when the owner says that it has this. */
  answer(what: Uint8Array | undefined, monoMs: number): readonly string[] {
    this.tending.handleAnswer(slot, what, owner, at(monoMs))
    return this.#done.splice(0)
  }
}

describe('after a change of the ring', () => {
  test('what is held is given to the old owner, and asked for from then on', () => {
    const scene = new Scene()
    scene.hold(value)
    scene.tending.tendSoon(at(0))
    expect(scene.until(1_000)).toEqual(['give v'])
    expect(scene.until(40_000)).toEqual(['ask'])
  })

  test('a deleted slot is asked for, and so is one of a known key that is not here', () => {
    const scene = new Scene()
    scene.hold(undefined)
    scene.tending.tendSoon(at(0))
    expect(scene.until(1_000)).toEqual(['ask'])
    const missing = new Scene()
    missing.keys.add(key)
    missing.tending.tendSoon(at(0))
    expect(missing.until(1_000)).toEqual(['ask'])
    expect(missing.answer(value, 1_000)).toEqual(['keep v'])
  })

  test('nothing is done without an old node ahead, or by a node that does not tend', () => {
    const scene = new Scene()
    scene.hold(value)
    scene.nodes.delete(owner)
    scene.tending.tendSoon(at(0))
    expect([scene.until(100_000), scene.tending.nextDeadline()]).toEqual([[], Infinity])
    const idle = new Scene()
    idle.hold(value)
    idle.tends = false
    idle.tending.tendSoon(at(0))
    expect([idle.until(100_000), idle.tending.nextDeadline()]).toEqual([[], Infinity])
  })

  test('many slots are given in portions, with pauses between', () => {
    const scene = new Scene()
    for (let name = 0; name < 600; name += 1) scene.keys.add(utf8Encode(`key ${name}`))
    scene.tending.tendSoon(at(0))
    const [firstMs] = [scene.tending.nextDeadline()]
    scene.tending.handleDeadline(at(firstMs))
    expect(scene.tending.nextDeadline()).toBe(firstMs + 250)
    scene.tending.handleDeadline(at(firstMs + 250))
    scene.tending.handleDeadline(at(firstMs + 500))
    expect(scene.tending.nextDeadline()).toBe(firstMs + 500 + 30_000)
  })
})

describe('the answer of the old owner', () => {
  test('that has nothing gives it back what is here, the second time', () => {
    const scene = new Scene()
    scene.hold(value)
    expect(scene.answer(undefined, 0)).toEqual([])
    expect(scene.answer(undefined, 0)).toEqual(['give v'])
  })

  test('that has what was deleted here deletes it there; the second time it is a new write', () => {
    const scene = new Scene()
    scene.hold(undefined)
    expect(scene.answer(value, 0)).toEqual(['give nothing'])
    expect(scene.answer(value, 0)).toEqual(['keep v'])
  })

  test('that has something else is taken: it is the owner', () => {
    const scene = new Scene()
    scene.hold(value)
    expect(scene.answer(other, 0)).toEqual(['keep other'])
  })

  test('is not listened to within ten seconds of a write, which may still be under way to it', () => {
    const scene = new Scene()
    scene.hold(value, { time: (utcSeconds - 5) * 1_000, writer: 'w' })
    expect(scene.answer(other, 0)).toEqual([])
    expect(scene.answer(undefined, 0)).toEqual([])
    expect(scene.answer(other, 6_000)).toEqual(['keep other'])
  })

  test('that there is nothing where nothing is, and nothing to delete, changes nothing', () => {
    const scene = new Scene()
    expect(scene.answer(undefined, 0)).toEqual([])
    scene.hold(undefined)
    expect(scene.answer(undefined, 0)).toEqual([])
  })
})

describe('news of a key', () => {
  test('that was set is looked for four times, until something is here', () => {
    const scene = new Scene()
    scene.tending.noteKey(key, at(0))
    expect(scene.until(60_000)).toEqual(['ask', 'ask', 'ask', 'ask'])
    const found = new Scene()
    found.tending.noteKey(key, at(0))
    expect(found.until(300)).toEqual(['ask'])
    expect(found.answer(value, 300)).toEqual(['keep v'])
    found.hold(value)
    expect(found.until(60_000)).toEqual([])
  })

  test('are not kept of keys so long that thousands would fill the memory', () => {
    const scene = new Scene()
    scene.tending.noteKey(new Uint8Array(4_097), at(0))
    scene.tending.noteRemoval(new Uint8Array(16_000_000), at(0))
    expect(scene.tending.nextDeadline()).toBe(Infinity)
    scene.tending.noteKey(new Uint8Array(4_096), at(0))
    expect(scene.tending.nextDeadline()).toBeLessThan(Infinity)
  })

  test('that was set anew is believed against a delete that is here', () => {
    const scene = new Scene()
    scene.hold(undefined)
    scene.tending.noteKey(key, at(0))
    expect(scene.until(300)).toEqual(['ask'])
    expect(scene.answer(value, 300)).toEqual(['keep v'])
  })

  test('that was removed is asked for while something is here, and erased when the owner has nothing', () => {
    const scene = new Scene()
    scene.hold(value)
    scene.tending.noteRemoval(key, at(0))
    expect(scene.until(300)).toEqual(['ask'])
    expect(scene.answer(undefined, 300)).toEqual(['keep nothing'])
    scene.hold(undefined, { ...old, time: old.time + 1 })
    expect(scene.answer(undefined, 400)).toEqual([])
    expect(scene.until(60_000)).toEqual([])
  })

  test('that was removed is not taken from an owner that has it still, where nothing is', () => {
    const scene = new Scene()
    scene.tending.noteRemoval(key, at(0))
    expect(scene.answer(value, 100)).toEqual([])
  })

  test('that contradict each other: the latest counts', () => {
    const scene = new Scene()
    scene.tending.noteRemoval(key, at(0))
    scene.tending.noteKey(key, at(0))
    expect(scene.until(300)).toEqual(['ask'])
    expect(scene.answer(value, 300)).toEqual(['keep v'])
  })

  test('of which this node tends no slot is nothing to it', () => {
    const scene = new Scene()
    scene.nodes.delete(owner)
    scene.tending.noteKey(key, at(0))
    expect(scene.tending.nextDeadline()).toBe(Infinity)
  })
})

describe('a newcomer of the old kind', () => {
  test('is sent the slots that it owns from now on, by the first keeper behind it', () => {
    const scene = new Scene()
    scene.hold(value)
    expect(scene.tending.parcelsForNewcomer(owner).map(({ peer }) => peer)).toEqual([owner])
    expect(scene.tending.parcelsForNewcomer('no id 0')).toEqual([])
    scene.nodes.add(encodeBase58Integer(slot.position - 5n)) // nearer behind than we are
    expect(scene.tending.parcelsForNewcomer(owner)).toEqual([])
  })

  test('and its like are sent everything only when no node of ours is left to keep it', () => {
    const scene = new Scene()
    scene.hold(value)
    expect(scene.tending.parcelsForOwners()).toEqual([])
    scene.nodes.delete(me)
    expect(scene.tending.parcelsForOwners()).toMatchObject([{ peer: owner, bytes: value.length }])
    scene.nodes.delete(owner)
    expect(scene.tending.parcelsForOwners()).toEqual([])
  })
})

test('nothing is remembered of a slot that is forgotten here', () => {
  const scene = new Scene()
  scene.hold(value)
  scene.tending.tendSoon(at(0))
  expect(scene.until(60_000)).toEqual(['give v', 'ask'])
  scene.slots.forget(slot)
  scene.until(120_000)
  scene.hold(value)
  expect(scene.until(150_000)).toEqual(['give v'])
})
