/** Says on stderr that something takes longer than a moment, and for how long it has. */
const momentMs = 1_000
const againMs = 5_000

export async function withProgress<Result>(what: string, work: Promise<Result>): Promise<Result> {
  const startedMs = performance.now()
  const say = (): void => {
    const seconds = Math.round((performance.now() - startedMs) / 1_000)
    process.stderr.write(`${what} … ${seconds} s\n`)
  }
  let repeat: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    say()
    repeat = setInterval(say, againMs)
  }, momentMs)
  try {
    return await work
  } finally {
    clearTimeout(first)
    clearInterval(repeat)
  }
}
