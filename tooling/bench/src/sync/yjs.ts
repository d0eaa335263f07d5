/** Yjs, a Y.Map in a Y.Doc on each node; updates travel as its documentation shows. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureForeign } from '@p2p/foreign'
import { until } from './contender.ts'
import type { DictionaryContender } from './contender.ts'
import { TcpStar } from './tcp-star.ts'

interface YMap {
  readonly size: number
  set(key: string, value: unknown): void
}
interface YDoc {
  getMap(name: string): YMap
  transact(run: () => void): void
  on(event: 'update', handler: (update: Uint8Array) => void): void
}
export interface Yjs {
  readonly Doc: new () => YDoc
  applyUpdate(doc: YDoc, update: Uint8Array): void
  encodeStateAsUpdate(doc: YDoc): Uint8Array
}

export async function loadYjs(): Promise<Yjs> {
  const modules = await ensureForeign()
  return createRequire(pathToFileURL(join(modules, 'index.js')))('yjs') as Yjs
}

/** @param setsPerTransaction 1 is a set as a program would call it; 100 is what Yjs is good at */
export function yjs(library: Yjs, setsPerTransaction: number): DictionaryContender {
  const { Doc, applyUpdate, encodeStateAsUpdate } = library
  return {
    name: setsPerTransaction === 1 ? 'yjs' : `yjs, ${setsPerTransaction} per transaction`,
    maxDeliveries: Infinity,
    async open(nodeCount) {
      const star = await TcpStar.open()
      const doc = new Doc()
      const map = doc.getMap('map')
      doc.on('update', (update) => star.broadcast(update))
      star.onSpoke((send) => send(encodeStateAsUpdate(doc)))
      const others: YMap[] = []
      const join = async (): Promise<YMap> => {
        const other = new Doc()
        await star.connect((update) => applyUpdate(other, update))
        others.push(other.getMap('map'))
        return other.getMap('map')
      }
      while (others.length < nodeCount - 1) await join()
      return {
        async spread(keys, value) {
          for (let at = 0; at < keys.length; at += setsPerTransaction) {
            doc.transact(() => {
              for (const key of keys.slice(at, at + setsPerTransaction)) map.set(key, value(key))
            })
            if (at % 250 === 0) await new Promise((resolve) => setImmediate(resolve))
          }
          // A Y.Map counts its entries each time it is asked.
          await until(
            () => others.at(-1)?.size === map.size && others.every((m) => m.size === map.size),
          )
        },
        join: async () => {
          const other = await join()
          await until(() => other.size >= map.size)
        },
        close: () => star.close(),
      }
    },
  }
}
