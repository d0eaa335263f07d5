/** Everything that can be started here: ours, js2p out of its lock file, py2p and p2py where there is Python. */
import { spawnSync } from 'node:child_process'
import { PythonUnavailableError, ensureForeign, ensurePython } from '@p2p/foreign'
import type { ProgramName, Programs } from './lab.ts'
import type { NodeProgram } from './node-process.ts'
import { browserProgram, js2pProgram, p2pProgram, p2pyProgram, py2pProgram } from './programs.ts'

/** Installs what is missing. Missing Python is said, and no error. */
export async function findPrograms(say: (line: string) => void): Promise<Programs> {
  const programs = new Map<ProgramName, NodeProgram>([['p2p', p2pProgram()]])
  programs.set('js2p', js2pProgram(await ensureForeign()))
  const chromium = findChromium()
  if (chromium === undefined) say('[p2p] no Chromium found (set CHROMIUM to its path)')
  else programs.set('browser', browserProgram(chromium))
  try {
    const python = await ensurePython()
    programs.set('py2p', py2pProgram(python)).set('p2py', p2pyProgram(python))
  } catch (error) {
    if (!(error instanceof PythonUnavailableError)) throw error
    say(`[p2p] py2p and p2py are left out: ${error.message}`)
  }
  return programs
}

function findChromium(): string | undefined {
  const given = process.env['CHROMIUM']
  const names = given === undefined ? ['chromium', 'chromium-browser', 'google-chrome'] : [given]
  return names.find((name) => spawnSync(name, ['--version']).status === 0)
}
