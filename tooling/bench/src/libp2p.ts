/** Loads libp2p and what its hosts are made of from where other networks are installed. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureBenchPeers } from '@p2p/foreign'

const parts = [
  'libp2p',
  '@libp2p/tcp',
  '@libp2p/plaintext',
  '@chainsafe/libp2p-yamux',
  '@libp2p/identify',
]

/** The exports of the parts of every host, and of these packages, in one object. */
export async function loadLibp2p<Modules extends object>(
  packages: readonly string[],
): Promise<Modules> {
  const modules = await ensureBenchPeers()
  provideWithResolvers()
  const require = createRequire(pathToFileURL(join(modules, 'index.js')))
  const load = async (name: string): Promise<object> =>
    (await import(pathToFileURL(entryPoint(modules, name, require)).href)) as object
  const loaded = await Promise.all([...parts, ...packages].map(load))
  return Object.assign({}, ...loaded) as Modules
}

/** Its packages have entry points for `import` only, which `require.resolve` does not see. */
function entryPoint(modules: string, name: string, require: NodeJS.Require): string {
  const folder = join(modules, name)
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly exports?: { readonly '.': { readonly import: string } }
  }
  return exports === undefined ? require.resolve(name) : join(folder, exports['.'].import)
}

/** Some of its packages want a newer Node than this project does. */
function provideWithResolvers(): void {
  if ('withResolvers' in Promise) return
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    value: () => {
      let settle: object = {}
      const promise = new Promise((resolve, reject) => {
        settle = { resolve, reject }
      })
      return { promise, ...settle }
    },
  })
}
