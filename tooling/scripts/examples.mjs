// Code blocks of Markdown files as programs that can be run.
//
// ```ts and ```js are programs of their own, unless the words after the language say `continues`: then
// the block goes on where the last one stopped. A ```python block that says `beside` is a node that runs at the
// same time as the program before it. What a program has to print stands behind what prints it:
//
//   console.log(map.get('colour')) // green        print(sock['colour'])  # green
//
// `…` in an expected line stands for anything. A program with such lines has passed as soon as it has printed
// them all, and only them; one without has to end by itself, with status 0. Ports from 4400 to 4499 become free ones, and
// addresses of other machines the loopback address.
import { createServer } from 'node:net'
import { transformSync } from 'esbuild'

/** Addresses that stand for this machine or another one in the documents. */
const elsewhere = /\b(0\.0\.0\.0|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|203\.0\.113\.\d+)\b/g
const documentPort = /\b44\d\d\b/g

/** All fenced blocks: { language, words, code, line }. */
export function blocksOf(markdown) {
  const blocks = []
  const fence = /^```([^\n]*)\n([\s\S]*?)^```$/gm
  for (const match of markdown.matchAll(fence)) {
    const [language = '', ...words] = match[1].trim().split(/\s+/)
    const line = markdown.slice(0, match.index).split('\n').length
    blocks.push({ language, words, code: match[2], line })
  }
  return blocks
}

/** The programs of a document: { name, language, code, beside: [{ language, code }] }. */
export function programsOf(path, markdown) {
  const programs = []
  for (const { language, words, code, line } of blocksOf(markdown)) {
    if (!['ts', 'js', 'python'].includes(language)) continue
    const last = programs.at(-1)
    if (words.includes('continues')) {
      if (last?.language !== language) throw new Error(`${path}:${line} continues nothing`)
      last.code += code
    } else if (words.includes('beside')) {
      if (last === undefined) throw new Error(`${path}:${line} is beside nothing`)
      last.beside.push({ name: `${path}:${line}`, language, code })
    } else {
      programs.push({ name: `${path}:${line}`, language, code, beside: [] })
    }
  }
  return programs
}

/** The lines that a program says it prints. */
export function expectedLines({ language, code }) {
  const printed =
    language === 'python'
      ? /^\s*(?:print\(.*\)|.*: print\(.*\)) +# (.*)$/gm
      : /^.*console\.log\(.*\)[;)}]* +\/\/ (.*)$/gm
  return [...code.matchAll(printed)].map(([, text]) => text)
}

/** Whether what was printed is what was expected, in any order. */
export function matches(printed, expected) {
  if (printed.length !== expected.length) return false
  const left = [...printed]
  for (const line of expected) {
    const pattern = new RegExp(
      `^${line
        .split('…')
        .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    )
    const at = left.findIndex((one) => pattern.test(one))
    if (at < 0) return false
    left.splice(at, 1)
  }
  return true
}

/** JavaScript of a TypeScript example: types taken out, nothing else changed. */
export function withoutTypes(code) {
  return transformSync(code, { loader: 'ts', format: 'esm', target: 'node20' }).code
}

/** The same program for require(): imports replaced, the rest inside an async function. */
export function asCommonJs(code) {
  const { imports, rest } = splitImports(withoutTypes(code))
  const requires = imports.map((line) =>
    line
      .replace(/^import \* as (\w+) from ("[^"]+");?$/, 'const $1 = require($2)')
      .replace(/^import \{([\s\S]*)\} from ("[^"]+");?$/, (_, names, from) => {
        return `const {${names.replaceAll(/ as /g, ': ')}} = require(${from})`
      }),
  )
  return `${requires.join('\n')}\nasync function main() {\n${rest}\n}\nvoid main()\n`
}

/** The same program in TypeScript, without await at its top level, as a CommonJS module may be. */
export function asTypedCommonJs(code) {
  const { imports, rest } = splitImports(code)
  return `${imports.join('\n')}\nasync function main(): Promise<void> {\n${rest}\n}\nvoid main()\n`
}

function splitImports(code) {
  const pattern = /^import [\s\S]*? from ['"][^'"]+['"];?$/gm
  return {
    imports: code.match(pattern) ?? [],
    rest: code.replaceAll(pattern, '').replaceAll(/^export (?=\w+ \w+)|^export \{[^}]*\};?$/gm, ''),
  }
}

/** Gives out free ports for the fixed ones of a document; the same one for the same number. */
export class Ports {
  #ports = new Map()

  /** The code with its ports and addresses replaced. */
  async place(code) {
    for (const [port] of code.matchAll(documentPort)) {
      if (!this.#ports.has(port)) this.#ports.set(port, await freePort())
    }
    return code
      .replaceAll(documentPort, (port) => String(this.#ports.get(port)))
      .replaceAll(elsewhere, '127.0.0.1')
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
