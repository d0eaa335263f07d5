// Tries impure code against the compiler settings and lint rules of src/protocol. Each probe has to be
// refused by one of the two, and pure code has to pass both: so the purity rule is known to bite.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const pure = `export function add(a: number, b: number): number {
  return Math.max(a + b, 0)
}
`

/** Each is one way out of purity. */
const impure = {
  'Date.now': 'export const x: number = Date.now()',
  'new Date': 'export const x: number = new Date().getTime()',
  'Date under another name': 'const clock = Date\nexport const x: number = clock.now()',
  'Math.random': 'export const x: number = Math.random()',
  'destructured Math.random': 'const { random } = Math\nexport const x: number = random()',
  'Math under another name': 'const m = Math\nexport const x: number = m.random()',
  setTimeout: 'setTimeout(() => {}, 1)',
  setInterval: 'setInterval(() => {}, 1)',
  setImmediate: 'setImmediate(() => {})',
  queueMicrotask: 'queueMicrotask(() => {})',
  'globalThis.setTimeout': 'globalThis.setTimeout(() => {}, 1)',
  'performance.now': 'export const x: number = performance.now()',
  'crypto.getRandomValues': 'crypto.getRandomValues(new Uint8Array(1))',
  'process.env': "export const x: string = process.env['X'] ?? ''",
  console: "console.log('x')",
  Buffer: "export const x: Uint8Array = Buffer.from('x')",
  fetch: "export const x: unknown = fetch('x')",
  WebSocket: "export const x: unknown = new WebSocket('ws://x')",
  'node:fs': "import { readFileSync } from 'node:fs'\nexport const x: unknown = readFileSync",
  'fs without its prefix':
    "import { readFileSync } from 'fs'\nexport const x: unknown = readFileSync",
}

/** Returns what is not refused, and how many probes were tried. */
export async function findPurityGaps(root) {
  const require = createRequire(join(root, 'package.json'))
  const ts = require('typescript')
  const { ESLint } = require('eslint')
  const folder = mkdtempSync(join(tmpdir(), 'p2p-purity-'))
  try {
    const protocol = join(folder, 'packages', 'probe', 'src', 'protocol')
    mkdirSync(protocol, { recursive: true })
    const sharedConfig = pathToFileURL(join(root, 'tooling', 'eslint-config', 'index.js')).href
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(
      join(folder, 'eslint.config.js'),
      `import { lintRules } from '${sharedConfig}'\n` +
        `export default lintRules(import.meta.dirname, ['tsconfig.json'])\n`,
    )
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tooling', 'tsconfig', 'pure.json'),
        compilerOptions: { rootDir: 'packages', noEmit: true },
        include: ['packages'],
      }),
    )
    const names = ['pure', ...Object.keys(impure)]
    const files = names.map((_, index) => join(protocol, `probe-${index}.ts`))
    for (const [index, name] of names.entries()) {
      writeFileSync(files[index], name === 'pure' ? pure : `${impure[name]}\nexport {}\n`)
    }
    const compiled = compileErrors(ts, join(folder, 'tsconfig.json'))
    const linted = await new ESLint({ cwd: folder }).lintFiles(files)
    const lintErrors = new Map(linted.map((result) => [result.filePath, result.errorCount]))
    const problems = []
    for (const [index, name] of names.entries()) {
      const file = files[index]
      const refusals = (compiled.get(file) ?? 0) + (lintErrors.get(file) ?? 0)
      if (name === 'pure' && refusals > 0) problems.push('pure code is refused in src/protocol')
      if (name !== 'pure' && refusals === 0) problems.push(`${name} passes in src/protocol`)
    }
    return { problems: [...problems, ...checkSettings(ts, root)], probes: names.length - 1 }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function compileErrors(ts, configPath) {
  const config = parseConfig(ts, configPath)
  const program = ts.createProgram(config.fileNames, config.options)
  const counts = new Map()
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    const file = diagnostic.file?.fileName
    counts.set(file, (counts.get(file) ?? 0) + 1)
  }
  return counts
}

function parseConfig(ts, path) {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} }
  return ts.getParsedCommandLineOfConfigFile(path, {}, host)
}

/** The packages have to use those settings: a protocol folder is compiled by the pure project only. */
function checkSettings(ts, root) {
  const problems = []
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name)
    if (!existsSync(join(folder, 'src', 'protocol'))) continue
    const pureProject = parseConfig(ts, join(folder, 'tsconfig.protocol.json'))
    const { types, lib } = pureProject?.options ?? {}
    if (types?.length !== 0 || lib?.some((entry) => /dom|webworker/i.test(entry))) {
      problems.push(`packages/${name}/tsconfig.protocol.json lets Node or DOM types in`)
    }
    const rest = parseConfig(ts, join(folder, 'tsconfig.build.json'))?.fileNames ?? []
    if (rest.some((file) => file.includes('/src/protocol/'))) {
      problems.push(`packages/${name}/tsconfig.build.json compiles src/protocol with Node types`)
    }
    // It would take the place of the shared rules.
    if (existsSync(join(folder, 'eslint.config.js'))) {
      problems.push(`packages/${name}/eslint.config.js shadows the shared rules`)
    }
  }
  const lintConfig = readFileSync(join(root, 'eslint.config.js'), 'utf8')
  if (!lintConfig.includes("from '@p2p/eslint-config'")) {
    problems.push('eslint.config.js does not use the shared rules')
  }
  return problems
}
