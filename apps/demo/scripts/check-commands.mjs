// Runs `p2p` as people do: every example of every help text, wrong usage, Ctrl-C. Expects it to be built.
// Ends with a line that counts checks; status 1 if one failed.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const binary = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'p2p.js')
const commands = ['', 'node', 'chat', 'seed', 'doctor', 'decode']
/** Commands whose examples may find something wrong: they look at addresses where nobody has to be. */
const mayFind = /^p2p doctor/
/** Tools that the workspace builds on demand, and tests for themselves. */
const isTool = /^p2p (sim|bench)/

/** A mistake of who types is told in words, not by lines of a program. */
const isTrace = /^ +at .*:\d+:\d+/m

/** It runs until it is interrupted. */
const isServer = /^p2p seed/

const say = (line) => process.stdout.write(`${line}\n`)
const listening = ['--listen', 'tcp://127.0.0.1:0', '--json']
let passed = 0
let failed = 0
function report(title, problem) {
  if (problem === undefined) passed += 1
  else failed += 1
  say(problem === undefined ? `ok    ${title}` : `FAILED ${title}: ${problem}`)
}

const p2p = (args, options = {}) =>
  spawnSync(process.execPath, [binary, ...args], { encoding: 'utf8', timeout: 30_000, ...options })

/** The lines below "Examples:" in a help text. */
function examplesOf(help) {
  const [, block = ''] = help.split('Examples:\n')
  return block
    .split(/\n\s*\n/)[0]
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
}

function runExample(line) {
  // Two of them at once must not meet on a port; what the example shows stays the same.
  const shell = line
    .replaceAll(':4444', ':0')
    .replace(/(^|\| )p2p /, `$1"${process.execPath}" "${binary}" `)
  const { status, stdout, stderr } = spawnSync('sh', ['-c', shell], {
    encoding: 'utf8',
    timeout: 30_000,
    input: '',
  })
  const allowed = mayFind.test(line) ? [0, 1] : [0]
  if (!allowed.includes(status)) return `status ${status}: ${stderr.slice(-300)}`
  if (!/--json|p2p decode/.test(line)) return undefined
  const lines = stdout.trim().split('\n').filter(Boolean)
  try {
    for (const one of lines) JSON.parse(one)
    return undefined
  } catch {
    return `not JSON: ${stdout.slice(0, 200)}`
  }
}

async function interrupt(args) {
  const child = spawn(process.execPath, [binary, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(createInterface({ input: child.stdout }), 'line')
  child.kill('SIGINT')
  const [status, signal] = await once(child, 'close')
  return status === 0 ? undefined : `status ${status}, signal ${signal}`
}

/** Ends a process that should have ended by itself, some time ago. */
const patienceMs = 10_000

/** How the process ends, with its input still open, and what it wrote. */
async function ending(child) {
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => (written[name] += text))
  const late = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  const [status, signal] = await once(child, 'close')
  clearTimeout(late)
  return { status, signal, ...written }
}

/** A node that cannot join says why, and ends. */
async function failToJoin(kind) {
  const child = spawn(process.execPath, [binary, 'node', kind, '--connect', 'tcp://127.0.0.1:1'])
  const { status, signal, stdout, stderr } = await ending(child)
  const isTold = stdout.startsWith('{"ev":"error"') && stdout.includes('"code":"P2P_')
  return status === 1 && isTold && stderr === ''
    ? undefined
    : `status ${status}, signal ${signal}: ${stdout}${stderr}`
}

/** Who is told a wrong address says so, and goes on. */
async function tellWrongAddress(args) {
  const wrong = ['--listen', 'tcp://127.0.0.1:0', '--connect', 'tcp://127.0.0.1:1', '--json']
  const child = spawn(process.execPath, [binary, ...args, ...wrong])
  const ended = ending(child)
  const told = []
  for await (const line of createInterface({ input: child.stdout })) {
    told.push(JSON.parse(line))
    const isAll = ['open', 'error'].every((ev) => told.some((one) => one.ev === ev))
    if (isAll) break
  }
  child.kill('SIGTERM')
  const { status, stderr } = await ended
  const errors = told.filter(({ ev }) => ev === 'error').map(({ code }) => code)
  return status === 0 && stderr === '' && String(errors) === 'P2P_CONNECTION_REFUSED'
    ? undefined
    : `status ${status}: ${JSON.stringify(told)}${stderr}`
}

/** One line says what is wrong, and the status that it failed. */
async function meetUsedPort(line) {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = `tcp://127.0.0.1:${taken.address().port}`
  const child = spawn(process.execPath, [binary, ...line.split(' '), '--listen', address])
  const { status, stdout, stderr } = await ending(child)
  taken.close()
  const said = stdout + stderr
  return status === 1 && said.trim().split('\n').length === 1 && said.includes(address)
    ? undefined
    : `status ${status}: ${said}`
}

/** What a pipe into `head` does. */
async function stopReading(line) {
  const child = spawn(process.execPath, [binary, ...line.split(' ')])
  child.stdin.on('error', () => undefined)
  child.stdout.destroy()
  if (line === 'node mesh') child.stdin.write('{"op":"listen"}\n{"op":"ping"}\n')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (said += text))
  const late = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  const [status, signal] = await once(child, 'close')
  clearTimeout(late)
  return signal === null && said === '' ? undefined : `status ${status}, signal ${signal}: ${said}`
}

/** One SIGTERM is enough while the node still waits for somebody who says nothing. */
async function endWhileJoining(kind) {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = `tcp://127.0.0.1:${silent.address().port}`
  const child = spawn(process.execPath, [binary, 'node', kind, '--connect', address])
  const ended = ending(child)
  const [socket] = await once(silent, 'connection')
  socket.on('error', () => undefined).resume()
  const startedMs = performance.now()
  child.kill('SIGTERM')
  const { status, signal, stderr } = await ended
  const tookMs = performance.now() - startedMs
  silent.close()
  socket.destroy()
  // Less than any time-out of a handshake.
  return status === 0 && stderr === '' && tookMs < 3_000
    ? undefined
    : `status ${status}, signal ${signal} after ${Math.round(tookMs)} ms: ${stderr}`
}

/** Resolves once the second chat is linked to the first; both know the seed only. */
async function meetThroughSeed() {
  const children = []
  const start = async (...args) => {
    const child = spawn(process.execPath, [binary, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { lines, open: JSON.parse((await lines.next()).value) }
  }
  try {
    const { open } = await start('seed', ...listening)
    const throughSeed = ['--seed', open.addresses[0], ...listening]
    const first = await start('chat', 'tea', ...throughSeed)
    const second = await start('chat', 'tea', ...throughSeed)
    const met = Promise.any([second, first].map(({ lines }) => lines.next()))
    const { ev, id } = JSON.parse((await met).value)
    const isOther = [first, second].some((chat) => chat.open.id === id)
    return ev === 'peer_join' && isOther ? undefined : `${ev} ${id}`
  } finally {
    for (const child of children) child.kill('SIGINT')
    await Promise.all(children.map((child) => once(child, 'close')))
  }
}

/** What the example shows, on a free port of this machine. */
function runServer(line) {
  const args = line.split(' ').slice(1)
  const at = args.indexOf('--listen') + 1
  return interrupt(args.map((arg, i) => (i === at ? 'tcp://127.0.0.1:0' : arg)))
}

let exampleCount = 0
for (const command of commands) {
  const help = p2p(command === '' ? ['--help'] : [command, '--help'])
  report(`p2p ${command} --help`, help.status === 0 ? undefined : `status ${help.status}`)
  for (const example of examplesOf(help.stdout)) {
    if (isTool.test(example)) continue
    exampleCount += 1
    report(example, isServer.test(example) ? await runServer(example) : runExample(example))
  }
}
report('help texts have examples', exampleCount >= commands.length ? undefined : `${exampleCount}`)
for (const line of [
  'fly',
  'node fly',
  'doctor',
  'doctor x --timeout no',
  'doctor x',
  'chat tea --listen 127.0.0.1:4444',
  'chat tea --connect x',
  'chat tea --seed x',
  'seed --listen x',
  'seed --advertise x',
  'node mesh --listen x',
  'node p2py --connect ws://127.0.0.1:1',
]) {
  const { status, stdout, stderr } = p2p(line.split(' '), { input: '' })
  const problem = isTrace.test(stderr) ? stderr : status === 2 ? undefined : `status ${status}`
  report(`p2p ${line} is wrong usage`, problem && `${problem} ${stdout}`)
}
const demo = spawnSync(process.execPath, [join(dirname(binary), 'demo.js'), '--fly'])
report('demo --fly is wrong usage', demo.status === 2 ? undefined : `status ${demo.status}`)
for (const line of ['chat tea', 'seed', 'node mesh'])
  report(`p2p ${line} on a port in use fails in one line`, await meetUsedPort(line))
for (const line of ['--help', 'decode 00', 'node mesh', 'chat tea --listen tcp://127.0.0.1:0'])
  report(`p2p ${line} ends quietly when nobody reads on`, await stopReading(line))
for (const [event, start] of [
  ['p2p', 'npm run p2p --'],
  ['verify', 'p2p'],
]) {
  const env = { ...process.env, npm_lifecycle_event: event }
  const { stdout } = p2p(['chat', 'tea'], { input: '', env })
  const isRight = stdout.includes(`join with: ${start} chat tea --connect tcp://`)
  report(`a chat of npm run ${event} prints a line that runs`, isRight ? undefined : stdout)
}
report('Ctrl-C ends a node', await interrupt(['node', 'mesh', ...listening]))
report('a p2py node that cannot join ends', await failToJoin('p2py'))
for (const kind of ['mesh', 'p2py'])
  report(`SIGTERM ends a ${kind} node that is still joining`, await endWhileJoining(kind))
for (const args of [['node', 'mesh'], ['node', 'chord'], ['chat', 'tea'], ['seed']])
  report(`p2p ${args.join(' ')} tells a wrong --connect`, await tellWrongAddress(args))
report('Ctrl-C ends a seed', await interrupt(['seed', ...listening]))
report('two chats find each other through a seed', await meetThroughSeed())
report('Ctrl-C ends a chat', await interrupt(['chat', 'tea', ...listening]))
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
