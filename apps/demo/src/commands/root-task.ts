/** Commands whose work is a tool of the workspace: `p2p sim` and `p2p bench` run it as `npm run` does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const runner = fileURLToPath(new URL('../../../../tooling/scripts/run.mjs', import.meta.url))

/** Builds the tool where needed and runs it with these arguments; resolves with its exit status. */
export async function runRootTask(task: 'sim' | 'bench', args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [runner, task, ...args], { stdio: 'inherit' })
  // Ctrl-C reaches the tool by itself; this process waits for it, to pass on how it ended.
  const ignore = (): void => undefined
  process.on('SIGINT', ignore)
  try {
    const [status] = (await once(child, 'close')) as [number | null]
    return status ?? 130
  } finally {
    process.off('SIGINT', ignore)
  }
}
