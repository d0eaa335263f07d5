/** Nodes whose clocks are wrong: what they refuse they do not speak against. */
import { expect, test } from '@jest/globals'
import { ChordNetwork } from './chord-network.ts'

test.each([-120, -7_200])(
  'what a node with its clock at %i s refused, it does not outvote for others',
  (offsetSeconds) => {
    const net = new ChordNetwork({ seed: 1 })
    const nodes = net.addMany(4)
    for (const node of nodes) node.join()
    net.sim.runFor(5_000)
    const [writer, reader, , slow] = nodes
    if (!writer || !reader || !slow) throw new Error('no nodes')
    const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`)
    const setAll = (value: string): (() => string)[] => keys.map((key) => writer.write(key, value))
    const before = setAll('old')
    net.sim.runFor(3_000)
    expect(before.every((write) => write() === 'written')).toBe(true)
    slow.sim.utcOffsetSeconds = offsetSeconds
    net.sim.runFor(1_000)
    const writes = setAll('new')
    net.sim.runFor(5_000)
    const written = keys.filter((_key, index) => writes[index]?.() === 'written')
    expect(written.length).toBeGreaterThan(30)
    for (const waitMs of [0, 120_000]) {
      net.sim.runFor(waitMs)
      const reads = written.map((key) => reader.read(key))
      net.sim.runFor(5_000)
      expect(new Set(reads.map((read) => read()))).toEqual(new Set(['new']))
    }
  },
)
