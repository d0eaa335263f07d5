// Runs jest for the package in the current folder, in ESM mode. Further arguments go to jest.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(
  fileURLToPath(new URL('../jest-config/package.json', import.meta.url)),
)
const jest = join(dirname(require.resolve('jest/package.json')), 'bin', 'jest.js')
const result = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    jest,
    '--passWithNoTests',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
process.exit(result.status ?? 1)
