/** The original library, which the project does not depend on; it greets on standard output when it is loaded. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureForeign } from '@p2p/foreign'

interface Base {
  readonly base: { readonly Protocol: new (subnet: string, encryption: string) => object }
}

/** `Sockets`: what the caller uses of it. */
export async function loadJs2p<Sockets>(): Promise<Base & Sockets> {
  const modules = await ensureForeign()
  const write = process.stdout.write
  process.stdout.write = () => true
  const library = createRequire(pathToFileURL(join(modules, 'index.js')))('js2p') as Base & Sockets
  process.stdout.write = write
  return library
}
