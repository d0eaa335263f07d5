// Files, exports and dependencies that nothing uses, found by knip with the settings in knip.json.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installLocked } from './install-locked.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const checkers = join(scripts, 'checkers')
installLocked(checkers, 'the checkers of verify')
const knip = join(checkers, 'node_modules', 'knip', 'bin', 'knip.js')
const args = [knip, '--config', join(scripts, 'knip.json'), '--no-progress', '--no-config-hints']
const result = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
if (result.status === 0) process.stdout.write('dead code: none\n')
process.exitCode = result.status ?? 1
