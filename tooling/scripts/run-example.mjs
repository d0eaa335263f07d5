// Runs one example as a process and holds what it prints against what it says it prints.
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { expectedLines, matches } from './examples.mjs'

/** A program that has printed all it should and does not end, as nodes do, is ended after this long. */
const graceMs = 400
const timeoutMs = 90_000

const pollMs = 50

/** Resolves when somebody listens on the port, or `isOver` says that nobody will. */
async function listening(port, isOver) {
  while (!isOver()) {
    const isOpen = await new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port })
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}

/**
 * Runs programs side by side; each starts when the one before it listens on the first port that it names.
 *
 * @param parts list of { name, program, args, cwd, env, port, example: { language, code } }
 * @returns what went wrong, one text each
 */
export async function runTogether(parts) {
  const running = []
  for (const part of parts) {
    const one = start(part)
    running.push(one)
    if (part !== parts.at(-1)) await listening(part.port, () => one.state.isClosed)
  }
  // Beside programs that say what they print, one that says nothing is there for the others.
  const judged = running.filter(({ part }) => expectedLines(part.example).length > 0)
  const awaited = judged.length > 0 ? judged : running
  const results = await Promise.race([
    Promise.all(awaited.map(({ printedAll }) => printedAll)),
    new Promise((resolve) => setTimeout(resolve, timeoutMs, undefined).unref()),
  ])
  const problems = []
  for (const { part, state, child } of running) {
    if (results === undefined || child.exitCode === null) child.kill('SIGKILL')
    await state.closed
    if (!awaited.some((one) => one.part === part)) continue
    const expected = expectedLines(part.example)
    const isAsSaid = expected.length === 0 || matches(state.printed, expected)
    const endedWell = state.status === 0 || (expected.length > 0 && state.status === null)
    if (isAsSaid && endedWell) continue
    problems.push(
      `${part.name}: ${results === undefined ? `not done after ${timeoutMs / 1000} s; ` : ''}` +
        `should print ${JSON.stringify(expected)}, printed ${JSON.stringify(state.printed)}, ` +
        `status ${state.status}\n${state.errors}`.trimEnd(),
    )
  }
  return problems
}

function start(part) {
  const expected = expectedLines(part.example)
  const { program, args, cwd, env } = part
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const state = { printed: [], errors: '', status: undefined, isClosed: false, closed: undefined }
  state.closed = new Promise((resolve) => {
    child.on('error', (error) => {
      state.errors += error.message
      state.isClosed = true
      resolve()
    })
    child.on('close', (status) => {
      state.status = status
      state.isClosed = true
      resolve()
    })
  })
  const printedAll = new Promise((resolve) => {
    state.closed.then(resolve)
    let unfinished = ''
    child.stdout.on('data', (chunk) => {
      const lines = (unfinished + chunk).split('\n')
      unfinished = lines.pop()
      state.printed.push(...lines)
      const isDone = expected.length > 0 && state.printed.length >= expected.length
      if (isDone) setTimeout(resolve, graceMs).unref()
    })
  })
  child.stderr.on('data', (chunk) => (state.errors += chunk))
  return { part, child, state, printedAll }
}
