// What readers follow: every relative link in a Markdown file leads somewhere, and every pending
// changeset names packages that exist and says something.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Anchors that a Markdown file offers, made from its headings as forges make them. */
function anchorsOf(markdown) {
  const prose = markdown.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '')
  const headings = [...prose.matchAll(/^#{1,6} +(.*)$/gm)].map(([, text]) => text)
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  )
}

function withoutCode(markdown) {
  return markdown.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, '')
}

/** Links of one document that lead nowhere. `read` gives the text of a path, undefined when there is none. */
function brokenLinks(path, markdown, read) {
  const links = [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)(?: +"[^"]*")?\)/g)]
  return links.flatMap(([, target]) => {
    if (/^[a-z]+:/i.test(target)) return []
    const [file, anchor] = target.split('#')
    const text = file === '' ? markdown : read(join(dirname(path), decodeURIComponent(file)))
    if (text === undefined) return [`${path}: nothing at ${target}`]
    if (anchor === undefined || !/\.md$/.test(file === '' ? path : file)) return []
    return anchorsOf(text).has(anchor) ? [] : [`${path}: no heading for ${target}`]
  })
}

/** Mistakes in one changeset. */
function changesetProblems(name, text, packageNames) {
  const match = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(text)
  if (match === null) return [`${name}: no front matter`]
  const [, front, body] = match
  const problems = front
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const entry = /^['"]?([^'":]+)['"]?: (major|minor|patch)$/.exec(line.trim())
      if (entry === null) return [`${name}: cannot read "${line}"`]
      return packageNames.has(entry[1]) ? [] : [`${name}: ${entry[1]} is no package here`]
    })
  return body.trim() === '' ? [...problems, `${name}: says nothing`] : problems
}

/** Words of the README in front of its guides, code among them; table rules and strokes are none. */
const maxReadmeWords = 1_200
function readmeProblems(markdown) {
  const [front = ''] = markdown.split(/^## Guides$/m)
  const words = front.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
  return words <= maxReadmeWords
    ? []
    : [`README.md: ${words} words before the guides, over ${maxReadmeWords}`]
}

/** Each check has to notice what it is for. */
function checkTheChecks() {
  const missed = []
  const noFile = () => undefined
  if (brokenLinks('a.md', '[x](b.md)', noFile).length === 0) missed.push('a missing file')
  if (brokenLinks('a.md', '# Top\n[x](#down)', noFile).length === 0)
    missed.push('a missing heading')
  if (brokenLinks('a.md', '# The top!\n[x](#the-top)', noFile).length > 0) missed.push('a heading')
  if (brokenLinks('a.md', '# The `code`\n[x](#the-code)', noFile).length > 0) missed.push('code')
  if (readmeProblems('word '.repeat(maxReadmeWords + 1)).length === 0) missed.push('a long README')
  const names = new Set(['@p2p/mesh'])
  if (changesetProblems('c', "---\n'@p2p/moon': minor\n---\nx", names).length === 0) {
    missed.push('a changeset of an unknown package')
  }
  return missed.map((what) => `the check of documents overlooks ${what}`)
}

const read = (path) => {
  const full = join(root, path)
  if (!existsSync(full)) return undefined
  return /\.md$/.test(path) ? readFileSync(full, 'utf8') : ''
}
const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n')
  .filter((path) => !/(^|\/)(fixtures|etc)\/|CHANGELOG\.md$/.test(path))
const packageNames = new Set(
  readdirSync(join(root, 'packages')).map(
    (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).name,
  ),
)
const changesets = documents.filter((path) => /^\.changeset\/(?!README)/.test(path))
const problems = [
  ...checkTheChecks(),
  ...readmeProblems(read('README.md') ?? ''),
  ...documents.flatMap((path) => brokenLinks(path, read(path) ?? '', read)),
  ...changesets.flatMap((path) => changesetProblems(path, read(path) ?? '', packageNames)),
]
for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(
  problems.length === 0
    ? `documents: the links of ${documents.length} files lead somewhere; ${changesets.length} changesets\n`
    : `documents: ${problems.length} problems\n`,
)
process.exitCode = problems.length === 0 ? 0 : 1
