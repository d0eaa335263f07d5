// Compiles the package in the current folder into dist/. `tsc -b` never deletes the output of a
// source that is gone, so dist is emptied whenever it holds a file without a source.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const hasStaleOutput = () => {
  if (!existsSync('dist')) return false
  return readdirSync('dist', { recursive: true }).some((name) => {
    const match = /^(.*)\.(?:js|d\.ts)$/.exec(String(name))
    if (match === null) return false
    const source = join('src', match[1] ?? '')
    return !existsSync(`${source}.ts`) && !existsSync(`${source}.tsx`)
  })
}

if (hasStaleOutput()) rmSync('dist', { recursive: true })
const tsc = createRequire(join(process.cwd(), 'package.json')).resolve('typescript/bin/tsc')
const result = spawnSync(process.execPath, [tsc, '-b', 'tsconfig.build.json'], { stdio: 'inherit' })
process.exit(result.status ?? 1)
