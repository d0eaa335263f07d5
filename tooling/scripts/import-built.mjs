// Imports a package of ours as a program of a user would: by its name, as built.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages')

/** @param name without the scope, such as `mesh` or `base/sim` */
export function importBuilt(name) {
  const require = createRequire(join(packages, name.split('/')[0] ?? name, 'package.json'))
  return import(pathToFileURL(require.resolve(`@p2p/${name}`)).href)
}
