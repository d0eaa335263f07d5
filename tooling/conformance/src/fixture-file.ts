/**
 * A file of recorded cases, found below the folder the command was given. The format is described in
 * fixtures/README.md. What a file holds is told by its name and the folder it lies in (`messages.json`,
 * `legacy/ids.json`), never by the names of its cases, so unseen files of the same format run too.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'

export interface FixtureFile {
  /** Path below the folder given, with `/` between its parts. */
  readonly path: string
  /** Base name without `.json`, such as `messages-js2p`. */
  readonly name: string
  /** Name of the folder that holds it: `legacy`, `p2py`, `transcripts`, or anything else. */
  readonly folder: string
  /** The parsed content. */
  readonly document: unknown
  /** The parsed content of another file in the same folder; undefined when there is none. */
  sibling(name: string): unknown
}

/** All `.json` files below `directory` (or the one file given), sorted by path. */
export function findFixtures(directory: string): readonly string[] {
  const root = resolve(directory)
  if (statSync(root).isFile()) return [root]
  return readdirSync(root, { recursive: true })
    .map((name) => join(root, String(name)))
    .filter((path) => path.endsWith('.json') && statSync(path).isFile())
    .sort()
}

/** Path of a file below the folder given, with `/` between its parts. */
export function relativePath(path: string, directory: string): string {
  const root = statSync(directory).isFile() ? dirname(resolve(directory)) : resolve(directory)
  return relative(root, path).split(sep).join('/')
}

/** Reads one file. Throws a SyntaxError when it is not JSON. */
export function readFixture(path: string, directory: string): FixtureFile {
  return {
    path: relativePath(path, directory),
    name: basename(path, '.json'),
    folder: basename(dirname(path)),
    document: JSON.parse(readFileSync(path, 'utf8')),
    sibling: (name) => {
      const other = join(dirname(path), `${name}.json`)
      return statSync(other, { throwIfNoEntry: false })?.isFile()
        ? JSON.parse(readFileSync(other, 'utf8'))
        : undefined
    },
  }
}
