// The conformance kit: holds a program in any language to the recordings of the originals. The program is started
// once, reads one JSON object per line from stdin and writes one per line to stdout:
//
//   {"re":1,"op":"encode","type":…,"sender":…,"time":…,"payload":[…]}   → {"re":1,"ok":true,"frame":"hex"}
//   {"re":2,"op":"decode","frame":"hex"}   → {"re":2,"ok":true,"id":"hex","type":…,"sender":…,"time":…,"payload":[…]}
//   {"re":3,"op":"base58","integer":"255"}                              → {"re":3,"ok":true,"text":"5Q"}
//   {"re":4,"op":"unbase58","text":"5Q"}                                → {"re":4,"ok":true,"integer":"255"}
//   {"re":5,"op":"network_id","subnet":"mesh","encryption":"Plaintext"} → {"re":5,"ok":true,"text":"Epam…"}
//
// Values are tagged as fixtures/README.md says. {"re":6,"ok":false} refuses, which bad frames have to be;
// {"re":6,"skip":true} says that the program does not do this. One JSON line per operation goes to stdout;
// what failed goes to stderr. Status 1 when something failed or nothing was tried.
//
//   node tooling/conformance/kit.mjs PROGRAM [ARGUMENT …]
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const answerTimeoutMs = 30_000
const [program, ...programArgs] = process.argv.slice(2)
if (program === undefined) {
  process.stderr.write('node kit.mjs PROGRAM [ARGUMENT …]\n')
  process.exit(2)
}
const casesOf = (name) =>
  JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')).cases
const methods = ['none', 'zlib', 'gzip']

/** Long values are recorded as rules; a program gets only those that are written out. */
const isWrittenOut = (value) => !/"(repeat|counter|sha256ctr)":/.test(JSON.stringify(value))

/** What is asked: { name, ask, wanted }; `wanted` undefined means that it has to be refused. */
function* questions() {
  for (const { name, frames, ...message } of casesOf('messages')) {
    if (!Array.isArray(message.payload) || !isWrittenOut(message)) continue
    const { type, sender, time, payload } = message
    const fields = { type, sender, time, payload }
    if (typeof frames.none === 'string') {
      yield { name, ask: { op: 'encode', ...fields }, wanted: { frame: frames.none } }
    }
    for (const method of methods.filter((one) => typeof frames[one] === 'string')) {
      yield {
        name: `${name}, ${method}`,
        ask: { op: 'decode', frame: frames[method] },
        wanted: fields,
      }
    }
  }
  for (const { name, category, frame, py2p, js2p } of casesOf('malformed')) {
    if (typeof frame !== 'string' || py2p !== 'rejects' || js2p !== 'rejects') continue
    // What was agreed on a link is no matter of a frame alone, and a reader may be more generous.
    if (category === 'bad-compressed' && /another used$|without compression$/.test(name)) continue
    yield { name, ask: { op: 'decode', frame }, wanted: undefined }
  }
  for (const one of casesOf('ids')) {
    const { name, kind, text } = one
    if (kind === 'base58') yield { name, ask: { op: 'base58', integer: one.int }, wanted: { text } }
    if (kind === 'unbase58') {
      yield { name, ask: { op: 'unbase58', text }, wanted: { integer: one.int } }
    }
    if (kind === 'protocol' && one.version === '0.7') {
      const { subnet, encryption, id } = one
      yield { name, ask: { op: 'network_id', subnet, encryption }, wanted: { text: id } }
    }
  }
}

const child = spawn(program, programArgs, { stdio: ['pipe', 'pipe', 'inherit'] })
const waiting = new Map()
let hasEnded = false
const end = (why) => {
  hasEnded = true
  for (const resolve of waiting.values()) resolve({ ended: why })
  waiting.clear()
}
child.on('error', ({ message }) => end(message))
child.on('exit', () => end('the program has ended'))
child.stdin.on('error', () => undefined)
createInterface({ input: child.stdout }).on('line', (line) => {
  let answer
  try {
    answer = JSON.parse(line)
  } catch {
    return
  }
  waiting.get(answer?.re)?.(answer)
  waiting.delete(answer?.re)
})

function ask(re, question) {
  return new Promise((resolve) => {
    if (hasEnded) return resolve({ ended: 'the program has ended' })
    const timer = setTimeout(resolve, answerTimeoutMs, { ended: 'no answer' })
    waiting.set(re, (answer) => {
      clearTimeout(timer)
      resolve(answer)
    })
    child.stdin.write(`${JSON.stringify({ re, ...question })}\n`)
  })
}

/** Maps compare by their entries, in order; objects by their keys in any order. */
const canonical = (value) =>
  JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

function verdict(answer, wanted) {
  if (answer.ended !== undefined) return answer.ended
  if (answer.skip === true) return 'skipped'
  if (wanted === undefined) return answer.ok === false ? undefined : 'was not refused'
  if (answer.ok !== true) return `was refused: ${answer.error ?? ''}`
  const wrong = Object.keys(wanted).filter(
    (key) => canonical(answer[key]) !== canonical(wanted[key]),
  )
  if (wrong.length === 0) return undefined
  const [key] = wrong
  return `${key} is ${canonical(answer[key])}, not ${canonical(wanted[key])}`
}

const totals = new Map()
let re = 0
for (const { name, ask: question, wanted } of questions()) {
  const kind = wanted === undefined ? 'refuse' : question.op
  const total = totals.get(kind) ?? { op: kind, passed: 0, failed: 0, skipped: 0, failures: [] }
  totals.set(kind, total)
  const wrong = verdict(await ask((re += 1), question), wanted)
  if (wrong === undefined) total.passed += 1
  else if (wrong === 'skipped') total.skipped += 1
  else {
    total.failed += 1
    total.failures.push(name)
    process.stderr.write(`FAILED ${kind}: ${name}: ${wrong.slice(0, 300)}\n`)
  }
}
child.stdin.end()
for (const total of totals.values()) process.stdout.write(`${JSON.stringify(total)}\n`)
const sum = (key) => [...totals.values()].reduce((count, total) => count + total[key], 0)
process.stderr.write(
  `${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`,
)
process.exitCode = sum('failed') > 0 || sum('passed') === 0 ? 1 : 0
