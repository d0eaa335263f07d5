// One word for one thing. Words of the originals stay out of our code (comments may point at the originals, and a
// few places stand for them); documents spell names as their owners do; and every package and root command that
// a document names is there.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const oldWords = /waterfall|metatuple|daemon|unjoin|routing_table|awaiting_?ids/i
/** Models of the originals, and the names that their users look for. */
const mayUseOldWords = [
  /^packages\/base\/src\/sim\/old-peers\//,
  /^packages\/serializer\/src\/legacy\//,
]
/** Wrong → right. */
const spellings = new Map([
  [/\bTypescript\b/, 'TypeScript'],
  [/\bJavascript\b/, 'JavaScript'],
  [/\bWebsockets?\b/, 'WebSocket'],
  [/\bWeb sockets?\b/i, 'WebSocket'],
  [/\bNodeJS\b|\bnode\.js\b/, 'Node'],
  [/\bGithub\b/, 'GitHub'],
  [/\b(Py2p|PY2P|JS2P|Js2p|P2py|P2PY)\b/, 'py2p, js2p, p2py'],
  [/\bMsgPack\b|\bMessagePack\b/, 'msgpack'],
  [/\bmulti-cast\b|\bbroad-cast\b/, 'broadcast'],
])

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n')
  .filter((path) => existsSync(join(root, path)))
const text = (path) => readFileSync(join(root, path), 'utf8')
/** Line breaks stay, so that lines keep their numbers. */
const blank = (match) => match.replaceAll(/[^\n]/g, ' ')
const withoutComments = (code) =>
  code.replaceAll(/\/\*[\s\S]*?\*\//g, blank).replaceAll(/(^|\s)\/\/.*$/gm, blank)
const prose = (markdown) =>
  markdown.replaceAll(/^```[\s\S]*?^```/gm, blank).replaceAll(/`[^`\n]*`|\]\([^)]*\)/g, blank)

function findings(path, content, pattern, say) {
  return content
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${say(line)}`] : []))
}

function codeProblems(path, code) {
  return findings(path, withoutComments(code), oldWords, (line) => `an old word: ${line.trim()}`)
}

function proseProblems(path, markdown) {
  return [...spellings].flatMap(([wrong, right]) =>
    findings(path, prose(markdown), wrong, () => `written "${right}" here`),
  )
}

const { scripts } = JSON.parse(text('package.json'))
const packages = readdirSync(join(root, 'packages')).map((name) => `@p2p/${name}`)
/** Tools are workspace members too, named in documents for contributors. */
const members = ['apps', 'tooling'].flatMap((group) =>
  readdirSync(join(root, group)).map((name) => `@p2p/${name}`),
)

function referenceProblems(path, markdown) {
  const named = [...markdown.matchAll(/@p2p\/([a-z0-9-]+)/g)].map(([name]) => name)
  const commands = [...markdown.matchAll(/npm run (?:-s )?([a-z0-9:-]+)/g)].map(([, name]) => name)
  return [
    ...named
      .filter((name) => ![...packages, ...members, '@p2p/source'].includes(name))
      .map((name) => `${path}: no package ${name}`),
    ...commands
      .filter((name) => scripts[name] === undefined)
      .map((name) => `${path}: no command npm run ${name}`),
  ]
}

const code = tracked.filter(
  (path) =>
    /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !mayUseOldWords.some((one) => one.test(path)),
)
const documents = tracked.filter(
  (path) => path.endsWith('.md') && !/(^|\/)(fixtures|etc)\/|CHANGELOG\.md$/.test(path),
)
const problems = [
  ...code.flatMap((path) => codeProblems(path, text(path))),
  ...documents.flatMap((path) => proseProblems(path, text(path))),
  ...documents
    .filter((path) => !path.startsWith('.changeset/'))
    .flatMap((path) => referenceProblems(path, text(path))),
]
// Each check has to notice what it is for.
if (codeProblems('a.ts', 'const waterfalls = 1').length === 0) problems.push('old words pass')
if (codeProblems('a.ts', '// as waterfalls in py2p').length > 0) problems.push('comments count')
if (proseProblems('a.md', 'In Typescript').length === 0) problems.push('misspellings pass')
if (referenceProblems('a.md', '`@p2p/moon`').length === 0) problems.push('unknown packages pass')
for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(
  problems.length === 0
    ? `names: ${code.length} source files and ${documents.length} documents use the right words\n`
    : `names: ${problems.length} problems\n`,
)
process.exitCode = problems.length === 0 ? 0 : 1
