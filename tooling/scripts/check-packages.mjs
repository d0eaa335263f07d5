// Packs every package as it would be published and looks at the tarballs as a user would meet them:
// what is inside, whether types and entries resolve, what an install of one package alone brings along,
// whether the examples of its README run from that install (in TypeScript and in JavaScript, by import and by
// require), and whether every entry loads. With --every-node the loading is repeated under newer Nodes.
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Ports, asCommonJs, asTypedCommonJs, programsOf, withoutTypes } from './examples.mjs'
import { installLocked } from './install-locked.mjs'
import { runTogether } from './run-example.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const root = join(scripts, '..', '..')
const pinned = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).packageManager

/** What an install of one of these may bring, itself included. */
const maxInstalledPackages = 10
/** Each package is installed alone; which of ours come along. */
const installs = {
  '@p2p/serializer': ['@p2p/serializer'],
  '@p2p/base': ['@p2p/base', '@p2p/serializer'],
  '@p2p/mesh': ['@p2p/base', '@p2p/mesh', '@p2p/serializer'],
  '@p2p/sync': ['@p2p/base', '@p2p/mesh', '@p2p/serializer', '@p2p/sync'],
  '@p2p/chord': ['@p2p/base', '@p2p/chord', '@p2p/mesh', '@p2p/serializer'],
  '@p2p/p2py-compat': ['@p2p/base', '@p2p/p2py-compat', '@p2p/serializer'],
}
/** Nodes that a release has to load under besides the one that runs this. */
const nodeNames = ['node-22', 'node-24', 'node-26']
const forbiddenFiles = /(^|\/)(test|node_modules)\/|\.tsbuildinfo$|\.test\.ts$/

const problems = []
const say = (text) => process.stdout.write(`${text}\n`)

function run(program, args, cwd) {
  const result = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (result.error) throw result.error
  return result
}

function mustRun(program, args, cwd) {
  const result = run(program, args, cwd)
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`)
  }
  return result.stdout
}

/** Packs all packages; returns [{ name, manifest, tarball }]. */
function packAll(folder) {
  return readdirSync(join(root, 'packages')).map((directory) => {
    const cwd = join(root, 'packages', directory)
    const manifest = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'))
    const output = mustRun('npx', ['--yes', pinned, 'pack', '--pack-destination', folder], cwd)
    const tarball = join(folder, basename(output.trim().split('\n').at(-1)))
    return { name: manifest.name, manifest, tarball }
  })
}

/** Files in a tarball, without the folder `package/` in front. */
function filesIn(tarball) {
  return mustRun('tar', ['-tzf', tarball], root)
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''))
}

function checkContents({ name, manifest, tarball }) {
  const files = filesIn(tarball)
  for (const wanted of ['README.md', 'LICENSE', 'package.json', 'dist/index.js', 'src/index.ts']) {
    if (!files.includes(wanted)) problems.push(`${name}: ${wanted} is not in the tarball`)
  }
  for (const file of files.filter((entry) => forbiddenFiles.test(entry))) {
    problems.push(`${name}: ${file} does not belong in the tarball`)
  }
  const targets = JSON.stringify([manifest.exports, manifest.imports]).matchAll(/"\.\/([^"]+)"/g)
  for (const [, target] of targets) {
    if (/\.(js|ts|json)$/.test(target) && !files.includes(target)) {
      problems.push(`${name}: ${target} is named in package.json and not in the tarball`)
    }
  }
}

async function checkWithPublint({ name, tarball }, { publint, formatMessage }) {
  const packed = readFileSync(tarball)
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.length) },
  })
  for (const message of messages) {
    problems.push(`${name}: publint: ${formatMessage(message, pkg, { color: false })}`)
  }
}

/** The packages are ESM only; that require() gets ESM is meant, and works on every Node we support. */
const meantByUs = new Set(['CJSResolvesToESM'])
const modes = new Set(['node16-cjs', 'node16-esm', 'bundler'])

async function checkTypes({ name, tarball }, { checkPackage, createPackageFromTarballData }) {
  const analysis = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
  for (const problem of analysis.problems ?? []) {
    if (meantByUs.has(problem.kind)) continue
    if (problem.resolutionKind !== undefined && !modes.has(problem.resolutionKind)) continue
    problems.push(`${name}: types: ${problem.kind} ${problem.entrypoint ?? ''}`)
  }
}

/** Installs `names` from their tarballs into an empty project, whose overrides stand for a registry. */
function installInto(folder, names, packed) {
  mkdirSync(folder)
  const byName = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]))
  const direct = Object.fromEntries(names.map((name) => [name, byName[name]]))
  const others = Object.fromEntries(
    Object.entries(byName).filter(([name]) => !names.includes(name)),
  )
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, dependencies: direct, overrides: others }),
  )
  mustRun('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], folder)
}

/** Every installed package, with its manifest. */
function installedIn(folder) {
  const lock = JSON.parse(readFileSync(join(folder, 'node_modules', '.package-lock.json'), 'utf8'))
  return Object.keys(lock.packages).map((path) => ({
    name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
    folder: join(folder, path),
    manifest: JSON.parse(readFileSync(join(folder, path, 'package.json'), 'utf8')),
  }))
}

/** Installs one package and looks at all that came with it. */
function checkInstall(folder, packageName, wanted, packed) {
  installInto(folder, [packageName], packed)
  const installed = installedIn(folder)
  const ours = installed.map(({ name }) => name).filter((name) => name.startsWith('@p2p/'))
  if (ours.sort().join() !== wanted.join()) {
    problems.push(`${packageName} brings ${ours.join(', ')}; expected ${wanted.join(', ')}`)
  }
  if (installed.length > maxInstalledPackages) {
    problems.push(
      `${packageName} brings ${installed.length} packages, over ${maxInstalledPackages}`,
    )
  }
  for (const { name, folder: home, manifest } of installed) {
    const hooks = ['preinstall', 'install', 'postinstall'].filter(
      (hook) => manifest.scripts?.[hook],
    )
    if (hooks.length > 0) problems.push(`${name} has an install script (${hooks.join(', ')})`)
    const native = readdirSync(home, { recursive: true }).filter((file) =>
      /\.node$/.test(String(file)),
    )
    if (native.length > 0) problems.push(`${name} holds native code (${native.join(', ')})`)
  }
  say(
    `install of ${packageName}: ${installed.length} packages ` +
      `(${installed.map(({ name }) => name).join(', ')})`,
  )
}

/** Specifiers of all entries of a package, package.json left out. */
function entriesOf({ name, manifest }) {
  return Object.keys(manifest.exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => name + entry.slice(1))
}

/** Programs of a README that need nothing but the package itself. */
function ownExamples(name) {
  const path = join('packages', name.replace('@p2p/', ''), 'README.md')
  const programs = programsOf(path, readFileSync(join(root, path), 'utf8'))
  const importsOnlyOwn = ({ code }) =>
    [...code.matchAll(/ from '([^']+)'/g)].every(
      ([, from]) => from === name || from.startsWith(`${name}/`),
    )
  const own = programs.filter((one) => one.language === 'ts' && importsOnlyOwn(one))
  if (own.length === 0) problems.push(`${name}: no example of its README runs from an install`)
  return own
}

/** Writes the examples of a README into the install of its package; returns how to run them. */
async function writeExamples(folder, name) {
  const parts = []
  for (const [number, example] of ownExamples(name).entries()) {
    const code = await new Ports().place(example.code)
    const write = (extension, text) =>
      writeFileSync(join(folder, `example-${number}.${extension}`), text)
    write('mts', code)
    write('cts', asTypedCommonJs(code))
    write('mjs', withoutTypes(code))
    write('cjs', asCommonJs(code))
    for (const extension of ['mjs', 'cjs']) {
      const file = `example-${number}.${extension}`
      parts.push({
        name: `${example.name} as ${extension}`,
        program: process.execPath,
        args: [file],
        cwd: folder,
        example: { language: 'ts', code },
      })
    }
  }
  return parts
}

/** The examples, run as modules of both kinds, and compiled as modules of both kinds. */
async function checkExamples(folders) {
  const parts = []
  for (const [name, folder] of folders) parts.push(...(await writeExamples(folder, name)))
  for (const part of parts) problems.push(...(await runTogether([part])))
  const files = folders.flatMap(([, folder]) =>
    readdirSync(folder)
      .filter((file) => /\.[mc]ts$/.test(file))
      .map((file) => join(folder, file)),
  )
  const result = run(process.execPath, [...compiler('NodeNext', 'NodeNext'), ...files], root)
  if (result.status !== 0) problems.push(`types of the examples:\n${result.stdout}`)
  say(
    `examples: ${parts.length / 2} of ${folders.length} READMEs run from an install of one package, ` +
      'in TypeScript and JavaScript, by import and by require',
  )
}

/** Loads every entry by import and by require, and compares what they export. */
function checkLoading(folder, packed, nodePath, nodeName) {
  const entries = packed.flatMap(entriesOf)
  const program = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const entry of ${JSON.stringify(entries)}) {
      const imported = Object.keys(await import(entry)).sort().join()
      const required = Object.keys(require(entry)).filter((key) => key !== '__esModule').sort().join()
      if (imported !== required) throw new Error(entry + ': import and require differ')
    }
    const open = process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe|FS|Close)/.test(name))
    if (open.length > 0) throw new Error('importing leaves open: ' + open)
    console.log('loaded ' + ${entries.length})`
  writeFileSync(join(folder, 'load.mjs'), program)
  const result = run(nodePath, ['load.mjs'], folder)
  if (result.status === 0) say(`${nodeName}: ${entries.length} entries load by import and require`)
  else problems.push(`${nodeName}: ${result.stderr.trim()}`)
}

/** Arguments of a strict compiler: the one in JavaScript, because what we ship is built by the native one. */
function compiler(module, resolution) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const types = join(root, 'tooling', 'conformance', 'node_modules', '@types')
  return [
    ...[tsc, '--ignoreConfig', '--noEmit', '--strict', '--target', 'ES2022'],
    ...['--lib', 'ES2023,DOM,ESNext.Disposable', '--typeRoots', types, '--types', 'node'],
    ...['--module', module, '--moduleResolution', resolution],
  ]
}

/** A TypeScript user with strict settings and without Node types of its own choosing. */
function checkConsumerTypes(folder, packed) {
  const imports = packed
    .flatMap(entriesOf)
    .map((entry, index) => `import * as e${index} from '${entry}'\nvoid e${index}\n`)
  writeFileSync(join(folder, 'consumer.mts'), imports.join(''))
  for (const [module, resolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ]) {
    const result = run(process.execPath, [...compiler(module, resolution), 'consumer.mts'], folder)
    if (result.status === 0) say(`types: ${packed.length} packages compile under ${resolution}`)
    else problems.push(`types under ${resolution}:\n${result.stdout}`)
  }
}

function otherNodes() {
  if (!process.argv.includes('--every-node')) return []
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say('other Node versions: only packaged for Linux on x64, left out here')
    return []
  }
  const folder = join(scripts, 'node-versions')
  installLocked(folder, 'other Node versions')
  return nodeNames.map((name) => [name, join(folder, 'node_modules', name, 'bin', 'node')])
}

const requireChecker = installLocked(join(scripts, 'checkers'), 'the checkers of verify')
const importChecker = (name) => import(pathToFileURL(requireChecker.resolve(name)).href)
const folder = mkdtempSync(join(tmpdir(), 'p2p-packages-'))
try {
  const packed = packAll(folder)
  const publint = { ...(await importChecker('publint')), ...(await importChecker('publint/utils')) }
  const typeChecker = await importChecker('@arethetypeswrong/core')
  for (const entry of packed) {
    checkContents(entry)
    await checkWithPublint(entry, publint)
    await checkTypes(entry, typeChecker)
  }
  for (const [name, wanted] of Object.entries(installs)) {
    checkInstall(join(folder, name.replace('@p2p/', '')), name, wanted, packed)
  }
  await checkExamples(
    Object.keys(installs).map((name) => [name, join(folder, name.replace('@p2p/', ''))]),
  )
  const allFolder = join(folder, 'all')
  installInto(
    allFolder,
    packed.map(({ name }) => name),
    packed,
  )
  checkConsumerTypes(allFolder, packed)
  for (const [name, path] of [[`node ${process.version}`, process.execPath], ...otherNodes()]) {
    if (existsSync(path)) checkLoading(allFolder, packed, path, name)
    else problems.push(`${name} is not installed`)
  }
} finally {
  rmSync(folder, { recursive: true })
}
for (const problem of problems) say(problem)
say(
  problems.length === 0
    ? 'packages: as a user meets them'
    : `packages: ${problems.length} problems`,
)
process.exitCode = problems.length === 0 ? 0 : 1
