// A dry run of a release, in a copy of the manifests: what `changeset version` would do with the pending
// changesets, and whether a change in one package raises the versions of those packages that have
// to follow, and of no others. Packing and installing is what check-packages.mjs tries.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const changeset = join(root, 'node_modules', '@changesets', 'cli', 'bin.js')
const names = readdirSync(join(root, 'packages'))
const problems = []
const say = (text) => process.stdout.write(`${text}\n`)
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`)

/** A workspace of manifests alone. `version` replaces the version of every package. */
function copyManifests(folder, version) {
  for (const file of ['package.json', 'pnpm-workspace.yaml']) {
    cpSync(join(root, file), join(folder, file))
  }
  for (const group of ['packages', 'apps', 'tooling']) {
    for (const name of readdirSync(join(root, group))) {
      const manifest = join(root, group, name, 'package.json')
      if (!existsSync(manifest)) continue
      mkdirSync(join(folder, group, name), { recursive: true })
      const content = readJson(manifest)
      const isPublished = group === 'packages' && version !== undefined
      writeJson(join(folder, group, name, 'package.json'), {
        ...content,
        ...(isPublished ? { version } : {}),
      })
    }
  }
  mkdirSync(join(folder, '.changeset'))
  cpSync(join(root, '.changeset', 'config.json'), join(folder, '.changeset', 'config.json'))
}

/** Runs `changeset version`; returns what it wrote into each package: version and changelog. */
function versionsAfter({ version, prepare }) {
  const folder = mkdtempSync(join(tmpdir(), 'p2p-release-'))
  try {
    copyManifests(folder, version)
    prepare(join(folder, '.changeset'))
    const result = spawnSync(process.execPath, [changeset, 'version'], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (result.status !== 0) throw new Error(`${result.stdout}${result.stderr}`)
    const strays = ['apps', 'tooling'].flatMap((group) =>
      readdirSync(join(folder, group)).filter((name) =>
        existsSync(join(folder, group, name, 'CHANGELOG.md')),
      ),
    )
    if (strays.length > 0) problems.push(`private packages get a changelog: ${strays.join()}`)
    return Object.fromEntries(
      names.map((name) => {
        const home = join(folder, 'packages', name)
        const changelog = join(home, 'CHANGELOG.md')
        const text = existsSync(changelog) ? readFileSync(changelog, 'utf8') : ''
        return [name, { version: readJson(join(home, 'package.json')).version, changelog: text }]
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Versions that a change of `bump` in `changed` leads to, of the packages whose version moved. */
function movedBy(changed, bump, version) {
  const prepare = (folder) =>
    writeFileSync(join(folder, 'one.md'), `---\n'@p2p/${changed}': ${bump}\n---\n\nChanged.\n`)
  const after = versionsAfter({ version, prepare })
  return Object.fromEntries(
    names.flatMap((name) => (after[name].version === version ? [] : [[name, after[name].version]])),
  )
}

/** Those that name a package as a dependency. They follow by a patch, which their own dependents take as it is. */
function dependentsOf(name) {
  return names.filter(
    (one) =>
      readJson(join(root, 'packages', one, 'package.json')).dependencies?.[`@p2p/${name}`] !==
      undefined,
  )
}

function expectMoved(what, moved, wanted) {
  const text = (versions) =>
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .sort()
      .join(', ')
  if (text(moved) === text(wanted)) say(`${what}: ${text(moved)}`)
  else problems.push(`${what}: ${text(moved)}; expected ${text(wanted)}`)
}

const follow = (name, version) =>
  Object.fromEntries(dependentsOf(name).map((dependent) => [dependent, version]))

// Nobody depends on sync, so nobody follows it.
expectMoved('minor change in sync 1.4.0', movedBy('sync', 'minor', '1.4.0'), { sync: '1.5.0' })
expectMoved('major change in sync 1.4.0', movedBy('sync', 'major', '1.4.0'), { sync: '2.0.0' })
// What stays within ^1.4.0 reaches users by itself; what leaves it makes a patch of every dependent.
expectMoved('minor change in serializer 1.4.0', movedBy('serializer', 'minor', '1.4.0'), {
  serializer: '1.5.0',
})
expectMoved('major change in serializer 1.4.0', movedBy('serializer', 'major', '1.4.0'), {
  serializer: '2.0.0',
  ...follow('serializer', '1.4.1'),
})
// Before 1.0 a minor version leaves ^0.4.0 already.
expectMoved('minor change in serializer 0.4.0', movedBy('serializer', 'minor', '0.4.0'), {
  serializer: '0.5.0',
  ...follow('serializer', '0.4.1'),
})
expectMoved('patch in mesh 0.4.0', movedBy('mesh', 'patch', '0.4.0'), { mesh: '0.4.1' })

const pending = readdirSync(join(root, '.changeset')).filter(
  (file) => file.endsWith('.md') && file !== 'README.md',
)
const next = versionsAfter({
  prepare: (folder) => {
    for (const file of pending) cpSync(join(root, '.changeset', file), join(folder, file))
  },
})
for (const [name, { version, changelog }] of Object.entries(next)) {
  if (pending.length > 0 && !changelog.includes(`## ${version}`)) {
    problems.push(`the changelog of ${name} would not tell of ${version}`)
  }
}
say(
  `the ${pending.length} pending changesets: ` +
    Object.entries(next)
      .map(([name, { version }]) => `${name} ${version}`)
      .join(', '),
)
for (const problem of problems) say(problem)
say(problems.length === 0 ? 'release: versions follow the rules' : 'release: FAILED')
process.exitCode = problems.length === 0 ? 0 : 1
