// Installs a folder of tools from its own pnpm-lock.yaml when a command needs them, so that a normal
// install stays small. No package's install script is run.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager

/**
 * Makes sure that node_modules in `folder` is what its lock file says.
 * Returns a require function that resolves from there.
 */
export function installLocked(folder, what) {
  const stamp = join(folder, 'node_modules', '.p2p-installed')
  const wanted = createHash('sha256')
    .update(readFileSync(join(folder, 'pnpm-lock.yaml')))
    .digest('hex')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    process.stderr.write(`[p2p] installing ${what} from their lock file; once, under a minute …\n`)
    const windows = process.platform === 'win32'
    const install = ['install', '--ignore-workspace', '--frozen-lockfile', '--prefer-offline']
    const args = ['--yes', pinned, ...install, '--ignore-scripts', '--reporter=silent']
    const result = spawnSync(windows ? 'npx.cmd' : 'npx', args, {
      cwd: folder,
      shell: windows,
      stdio: ['ignore', 2, 2],
    })
    if (result.status !== 0) throw new Error(`cannot install ${what} in ${folder}`)
    writeFileSync(stamp, wanted)
  }
  return createRequire(join(folder, 'package.json'))
}
