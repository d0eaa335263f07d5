/**
 * The least that any replicated map in JavaScript could do: a Map on each node, and each set as a
 * msgpack pair in a frame, batched. No ids, no versions, no repair.
 */
import { decodeValue, encodeValue } from '@p2p/serializer'
import { until } from './contender.ts'
import type { DictionaryContender } from './contender.ts'
import { TcpStar } from './tcp-star.ts'

export const bareMap: DictionaryContender = {
  name: 'limit',
  maxDeliveries: Infinity,
  async open(nodeCount) {
    const star = await TcpStar.open()
    const first = new Map<string, string>()
    const others = Array.from({ length: nodeCount - 1 }, () => new Map<string, string>())
    for (const map of others) {
      await star.connect((frame) => {
        const [key, value] = decodeValue(frame) as [string, string]
        map.set(key, value)
      })
    }
    return {
      async spread(keys, value) {
        for (const [index, key] of keys.entries()) {
          first.set(key, value(key))
          star.broadcast(encodeValue([key, value(key)]))
          if (index % 250 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await until(() => others.every((map) => map.size >= first.size))
      },
      join: undefined,
      close: () => star.close(),
    }
  },
}
