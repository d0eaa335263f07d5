// Programs by others that ours are run against: js2p and small libraries (npm/), whole networks that only
// benchmarks compare with (bench/), py2p and p2py (python/). They are no part of a normal install. A
// command that needs them calls ensureForeign(), ensureBenchPeers() or ensurePython(), which install from the pinned lists into git-ignored folders
// when they are missing or a list has changed, and say so on stderr. No package's install script
// is ever run.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const npmFolder = join(here, 'npm')
const benchFolder = join(here, 'bench')
const pythonFolder = join(here, 'python')
const windows = process.platform === 'win32'

/** Python is missing, too old, or its packages could not be installed; the message says which. */
export class PythonUnavailableError extends Error {
  name = 'PythonUnavailableError'
  code = 'P2P_PYTHON_UNAVAILABLE'
}

/**
 * Installs the npm packages of npm/package-lock.json unless they are there already.
 * Returns the path of their node_modules folder.
 */
export function ensureForeign() {
  return ensureLocked(npmFolder, 'foreign npm peers (js2p, …)')
}

/** The same for the networks of bench/package-lock.json. */
export function ensureBenchPeers() {
  return ensureLocked(benchFolder, 'networks to compare with (libp2p, Hyperswarm, …)')
}

async function ensureLocked(folder, what) {
  const modules = join(folder, 'node_modules')
  const stamp = join(modules, '.p2p-installed')
  const wanted = digestOf(join(folder, 'package-lock.json'))
  if (contentOf(stamp) === wanted) return modules
  say(`installing ${what} from their lock file; once, under a minute …`)
  const npm = windows ? 'npm.cmd' : 'npm'
  const npmArgs = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run(npm, npmArgs, { cwd: folder, shell: windows })
  writeFileSync(stamp, wanted)
  return modules
}

/**
 * Makes a virtual environment with py2p and p2py unless it is there already. Returns the path of
 * its python. Rejects with PythonUnavailableError when this machine has no usable Python 3.
 */
export async function ensurePython() {
  const modules = await ensureForeign()
  const environment = join(pythonFolder, '.venv')
  const python = join(environment, windows ? 'Scripts/python.exe' : 'bin/python')
  const stamp = join(environment, '.p2p-installed')
  const requirements = join(pythonFolder, 'requirements.txt')
  const tlsRequirements = join(pythonFolder, 'requirements-tls.txt')
  const wanted = `${digestOf(requirements)} ${digestOf(tlsRequirements)}`
  if (contentOf(stamp) === wanted && existsSync(python)) return python

  const system = await systemPython()
  say('making a Python environment with py2p and p2py; once, under a minute …')
  rmSync(environment, { recursive: true, force: true })
  mkdirSync(pythonFolder, { recursive: true })
  // py2p's source archive cannot be built by itself (its setup imports what it wants installed),
  // so its wheel is taken from where js2p carries it.
  const wheel = join(modules, 'js2p', 'dist', 'py2p-0.7.870-py2.py3-none-any.whl')
  const pipArgs = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check']
  try {
    await run(system, ['-m', 'venv', environment])
    await run(python, [...pipArgs, '--requirement', requirements, wheel])
  } catch (error) {
    throw new PythonUnavailableError(`cannot install the Python peers: ${error.message}`, {
      cause: error,
    })
  }
  try {
    await run(python, [...pipArgs, '--only-binary', ':all:', '--requirement', tlsRequirements])
  } catch (error) {
    say(`py2p will have no SSL links: ${error.message}`)
  }
  writeFileSync(stamp, wanted)
  return python
}

/** Name of a Python 3.6 or later on the path. */
async function systemPython() {
  const probe = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 6))'
  for (const name of windows ? ['python', 'py'] : ['python3', 'python']) {
    try {
      await run(name, ['-c', probe], { quiet: true })
      return name
    } catch {
      // Try the next name; when none works the error below says so.
    }
  }
  throw new PythonUnavailableError('no Python 3.6 or later with venv and pip found on the path')
}

/** Runs a program to its end. What it prints goes to stderr: stdout may be read by a program. */
function run(program, programArgs, { cwd, shell = false, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = ['ignore', quiet ? 'ignore' : 2, quiet ? 'ignore' : 2]
    const child = spawn(program, programArgs, { cwd, shell, stdio })
    child.on('error', reject)
    child.on('exit', (status, signal) => {
      if (status === 0) resolve()
      else reject(new Error(`${program} ended with ${signal ?? `status ${status}`}`))
    })
  })
}

function contentOf(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

function digestOf(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function say(text) {
  process.stderr.write(`[p2p] ${text}\n`)
}

// `node install.mjs [npm|python]` installs ahead of time, for instance in an image.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = await (process.argv[2] === 'python' ? ensurePython() : ensureForeign())
  process.stdout.write(`${path}\n`)
}
