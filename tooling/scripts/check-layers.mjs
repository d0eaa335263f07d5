// Proves the dependency rule and the purity rule of the packages; both checks are tried on bad input
// first, so that a check that lets everything pass is noticed.
//
//   serializer ◄ base ◄ mesh ◄ { sync, chord }, base ◄ p2py-compat
//
// 1. package.json: a package depends on no package of ours above it, nor beside it.
// 2. Real imports in src/: only what package.json declares; nothing by a relative path out of src/.
// 3. src/protocol imports nothing of its shell and no Node module; modules import each other in no circle.
// 4. The compiler or the linter refuses clocks, timers, randomness, globals and Node modules there.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findPurityGaps } from './purity-probes.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const ts = createRequire(join(root, 'package.json'))('typescript')

/** What each package may import of ours. */
const allowed = {
  serializer: [],
  base: ['serializer'],
  mesh: ['base', 'serializer'],
  sync: ['mesh', 'base', 'serializer'],
  chord: ['mesh', 'base', 'serializer'],
  'p2py-compat': ['base', 'serializer'],
}

const builtins = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)])
const packageNameOf = (specifier) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** Problems in the declared dependencies of one package. */
function checkManifest(name, manifest) {
  const problems = []
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  }
  for (const [dependency, range] of Object.entries(declared)) {
    if (!dependency.startsWith('@p2p/')) continue
    if (!allowed[name]?.includes(dependency.slice('@p2p/'.length))) {
      problems.push(`@p2p/${name} must not depend on ${dependency}`)
    }
    if (range !== 'workspace:^') {
      problems.push(`@p2p/${name} asks for ${dependency} as ${range}, not workspace:^`)
    }
  }
  return problems
}

/** Problems in the imports of one source file. */
function checkImports(name, manifest, file, imports, pureFolders = ['protocol']) {
  const problems = []
  const isPure = (path) => pureFolders.some((folder) => path.startsWith(`${folder}/`))
  const inProtocol = isPure(file)
  const declared = new Set([
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ])
  for (const specifier of imports) {
    const say = (text) => problems.push(`packages/${name}/src/${file}: ${text}`)
    if (specifier.startsWith('#')) continue
    if (specifier.startsWith('.')) {
      const target = join(dirname(file), specifier)
      if (target.startsWith('..')) say(`${specifier} leaves the package`)
      else if (inProtocol && !isPure(target)) {
        say(`protocol code imports ${specifier}, which is not protocol code`)
      }
      continue
    }
    if (builtins.has(specifier)) {
      if (inProtocol) say(`protocol code imports ${specifier}`)
      continue
    }
    const dependency = packageNameOf(specifier)
    if (!declared.has(dependency)) say(`${dependency} is not among the dependencies`)
    if (
      dependency.startsWith('@p2p/') &&
      !allowed[name]?.includes(dependency.slice('@p2p/'.length))
    ) {
      say(`must not import ${dependency}`)
    }
  }
  return problems
}

/** The specifiers a module imports or re-exports; `value` are those that remain when types are erased. */
function importsOf(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
  const all = []
  const value = []
  const visit = (node) => {
    const specifier =
      node.moduleSpecifier ?? (isDynamicImport(node) ? node.arguments[0] : undefined)
    if (specifier !== undefined && ts.isStringLiteral(specifier)) {
      all.push(specifier.text)
      const typeOnly = node.importClause?.isTypeOnly === true || node.isTypeOnly === true
      if (!typeOnly && !isDynamicImport(node)) value.push(specifier.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { all, value }
}

function isDynamicImport(node) {
  return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
}

/** Circles among the modules of a package, as the paths along them. */
function findCircles(graph) {
  const circles = []
  const done = new Set()
  const walk = (file, trail) => {
    const at = trail.indexOf(file)
    if (at !== -1) {
      circles.push([...trail.slice(at), file].join(' -> '))
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) walk(next, [...trail, file])
    done.add(file)
  }
  for (const file of graph.keys()) walk(file, [])
  return circles
}

/** Folders in src/ that the package compiles without Node or DOM types. */
function pureFoldersOf(folder) {
  const project = join(folder, 'tsconfig.protocol.json')
  const { include = [] } = existsSync(project)
    ? ts.parseConfigFileTextToJson(project, readFileSync(project, 'utf8')).config
    : {}
  return include.map((entry) => entry.replace(/^src\//, ''))
}

function checkPackage(name) {
  const folder = join(root, 'packages', name)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const problems = checkManifest(name, manifest)
  const graph = new Map()
  const src = join(folder, 'src')
  const pureFolders = pureFoldersOf(folder)
  const files = readdirSync(src, { recursive: true })
    .map((file) => String(file).replaceAll('\\', '/'))
    .filter((file) => /\.tsx?$/.test(file))
  for (const file of files) {
    const { all, value } = importsOf(file, readFileSync(join(src, file), 'utf8'))
    problems.push(...checkImports(name, manifest, file, all, pureFolders))
    const targets = value.filter((specifier) => specifier.startsWith('.'))
    graph.set(
      file,
      targets.map((target) =>
        relative(src, resolve(src, dirname(file), target)).replaceAll('\\', '/'),
      ),
    )
  }
  for (const circle of findCircles(graph)) {
    problems.push(`packages/${name}/src: modules import each other in a circle: ${circle}`)
  }
  return { problems, files: files.length }
}

/** Each rule has to refuse something that breaks it. */
function checkTheChecks() {
  const bad = {
    'upward dependency': checkManifest('base', { dependencies: { '@p2p/mesh': 'workspace:^' } }),
    'sideways dependency': checkManifest('sync', { dependencies: { '@p2p/chord': 'workspace:^' } }),
    'undeclared import': checkImports('mesh', {}, 'a.ts', ['@p2p/base']),
    'upward import': checkImports('base', { dependencies: { '@p2p/sync': '*' } }, 'a.ts', [
      '@p2p/sync/x',
    ]),
    'import out of the package': checkImports('mesh', {}, 'a.ts', ['../../base/src/index.ts']),
    'shell in protocol': checkImports('mesh', {}, 'protocol/a.ts', ['../mesh-node.ts']),
    'Node module in protocol': checkImports('mesh', {}, 'protocol/a.ts', ['node:fs']),
    'circle of modules': findCircles(
      new Map([
        ['a.ts', ['b.ts']],
        ['b.ts', ['a.ts']],
      ]),
    ),
    're-export that is not seen': importsOf('a.ts', "export { x } from './b.ts'").value,
  }
  return Object.entries(bad)
    .filter(([, problems]) => problems.length === 0)
    .map(([rule]) => `the check for "${rule}" lets a violation pass`)
}

const problems = checkTheChecks()
let fileCount = 0
for (const name of readdirSync(join(root, 'packages'))) {
  if (allowed[name] === undefined) problems.push(`packages/${name} has no place in the layer table`)
  const result = checkPackage(name)
  problems.push(...result.problems)
  fileCount += result.files
}
const purity = await findPurityGaps(root)
problems.push(...purity.problems)

for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(
  problems.length === 0
    ? `layers: ${fileCount} modules in ${Object.keys(allowed).length} packages keep the rule; ` +
        `${purity.probes} impure probes refused in src/protocol\n`
    : `layers: ${problems.length} problems\n`,
)
process.exitCode = problems.length === 0 ? 0 : 1
