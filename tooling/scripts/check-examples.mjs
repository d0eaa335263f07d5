// Runs every program of the README and of the guides, as it stands there: TypeScript is compiled with strict
// settings against the built packages and run; Python runs beside it with the original libraries where
// there is a Python 3. Commands in shell blocks have to exist. examples.mjs says what a block may hold.
//
//   node tooling/scripts/check-examples.mjs [document …]
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureForeign, ensurePython, PythonUnavailableError } from '../foreign/install.mjs'
import { Ports, blocksOf, expectedLines, matches, programsOf, withoutTypes } from './examples.mjs'
import { runTogether } from './run-example.mjs'
import { tscProgram } from './tsc.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const say = (text) => process.stdout.write(`${text}\n`)
/** From here every package and everything that a guide imports can be found. */
const home = join(root, 'apps', 'demo')
const compilerOptions =
  '--ignoreConfig --noEmit --strict --skipLibCheck --target ES2022 --module NodeNext'
const libraries = ['--lib', 'ES2023,DOM,ESNext.Disposable', '--types', 'node']
/** What today's Python has renamed under py2p. */
const oldNames = join(root, 'tooling', 'foreign', 'python', 'old-names')
const problems = []

/** Each check has to notice what it is for. */
function checkTheChecks() {
  const said = expectedLines({ language: 'ts', code: 'console.log(a) // 1\nconsole.log(b)' })
  if (said.join() !== '1') problems.push('examples: expected lines are not found')
  if (matches(['1', '2'], ['1']) || matches([], ['1']) || !matches(['a b'], ['a …'])) {
    problems.push('examples: what was printed is not compared')
  }
}

function documents() {
  const named = process.argv.slice(2)
  if (named.length > 0) return named
  return execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((path) => !/(^|\/)(fixtures|etc|\.changeset)\/|CHANGELOG\.md$/.test(path))
    .filter((path) => existsSync(join(root, path)))
}

/** Commands that a shell block names and that are not there. */
function checkCommands(path, { language, code, line }) {
  if (language !== 'sh') return
  const { scripts: known } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const names = readdirSync(join(root, 'packages')).map((name) => `@p2p/${name}`)
  const outside = ['git', 'cd', 'npx', 'pip']
  for (const text of code.split('\n').filter((one) => /^[a-z]/.test(one))) {
    // `-s` only keeps npm quiet.
    const [program, first, second] = text.replace('npm run -s ', 'npm run ').split(/\s+/)
    const isThere =
      (program === 'npm' && first === 'run' && known[second] !== undefined) ||
      (program === 'npm' && first === 'test') ||
      (program === 'npm' && first === 'install' && isPackage(second, names)) ||
      (program === 'node' && isFile(path, first)) ||
      outside.includes(program)
    if (!isThere) problems.push(`${path}:${line}: no such command: ${text}`)
  }
}

const isPackage = (name, names) => names.includes(name) || !name.startsWith('@p2p/')
/** Built files count by their source. */
const isFile = (path, file) =>
  [root, join(root, dirname(path))].some((folder) =>
    existsSync(join(folder, file.replace(/\bdist\/(.*)\.js$/, 'src/$1.ts'))),
  )

/** Shell blocks that say `run`: each line has to end with status 0. */
function runCommands(path, { language, words, code, line }, python) {
  if (language !== 'sh' || !words.includes('run')) return
  for (const text of code.split('\n').filter((one) => /^[a-z]/.test(one))) {
    if (/\bpython3\b/.test(text) && python === undefined) continue
    const [program, ...args] = text.replace(/\bpython3\b/, () => python).split(/\s+/)
    const env = { ...process.env, PYTHONPATH: oldNames }
    const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', env })
    if (result.status !== 0) problems.push(`${path}:${line}: ${text}\n${result.stderr}`.trimEnd())
  }
}

async function pythonOrReason() {
  try {
    return { python: await ensurePython() }
  } catch (error) {
    if (error instanceof PythonUnavailableError) return { reason: error.message }
    throw error
  }
}

/** Files and processes of one program and of those beside it. */
async function prepare({ folder, python, foreign }, program, number) {
  const ports = new Ports()
  const parts = []
  for (const example of [program, ...program.beside]) {
    if (example.language === 'python' && python === undefined) continue
    const code = await ports.place(example.code)
    const stem = join(folder, `${number}-${parts.length}`)
    const port = Number(/\b\d{4,5}\b/.exec(code)?.[0])
    const common = { name: example.name, cwd: folder, port, example: { ...example, code } }
    if (example.language === 'python') {
      writeFileSync(`${stem}.py`, code)
      const env = { ...process.env, PYTHONPATH: oldNames }
      parts.push({ ...common, program: python, args: ['-u', `${stem}.py`], env })
    } else if (example.language === 'ts') {
      writeFileSync(`${stem}.mts`, code)
      writeFileSync(`${stem}.mjs`, withoutTypes(code))
      parts.push({ ...common, program: process.execPath, args: [`${stem}.mjs`] })
    } else {
      writeFileSync(`${stem}.cjs`, code)
      const env = { ...process.env, NODE_PATH: foreign }
      parts.push({ ...common, program: process.execPath, args: [`${stem}.cjs`], env })
    }
  }
  return parts
}

function checkTypes(folder, programs) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.mts'))
  if (files.length === 0) return
  const args = [...compilerOptions.split(' '), ...libraries]
  const result = spawnSync(process.execPath, [tscProgram, ...args, ...files], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (result.status === 0) return
  const named = result.stdout.replaceAll(
    /^(\d+)-\d+\.mts/gm,
    (_, number) => `${programs[number].name}: `,
  )
  problems.push(named.trimEnd())
}

checkTheChecks()
const texts = documents().map((path) => [path, readFileSync(join(root, path), 'utf8')])
for (const [path, text] of texts) {
  for (const block of blocksOf(text)) {
    checkCommands(path, block)
    if (block.language === 'json') JSON.parse(block.code)
  }
}
const programs = texts.flatMap(([path, text]) => programsOf(path, text))
const all = programs.flatMap((program) => [program, ...program.beside])
const needsPython =
  all.some(({ language }) => language === 'python') ||
  texts.some(([, text]) => /^```sh run\n.*\bpython3\b/m.test(text))
const { python, reason } = needsPython ? await pythonOrReason() : {}
const foreign = all.some(({ language }) => language === 'js') ? await ensureForeign() : undefined
for (const [path, text] of texts) {
  for (const block of blocksOf(text)) runCommands(path, block, python)
}
const cache = join(home, 'node_modules', '.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'p2p-examples-'))
try {
  const prepared = []
  for (const [number, program] of programs.entries()) {
    prepared.push(await prepare({ folder, python, foreign }, program, number))
  }
  checkTypes(folder, programs)
  for (const parts of prepared.filter(({ length }) => length > 0)) {
    problems.push(...(await runTogether(parts)))
  }
} finally {
  rmSync(folder, { recursive: true })
}
for (const problem of problems) say(problem)
const counted = ['ts', 'js', 'python'].map(
  (language) => `${all.filter((one) => one.language === language).length} ${language}`,
)
if (reason !== undefined) say(`examples: those in Python left out: ${reason}`)
say(
  problems.length === 0
    ? `examples: ${all.length} programs of ${texts.length} documents run (${counted.join(', ')})`
    : `examples: ${problems.length} problems`,
)
process.exitCode = problems.length === 0 ? 0 : 1
