/**
 * The same work in Chromium, where digests and compression are JavaScript. Skipped, with a note, when no
 * Chromium is found; the variable CHROMIUM names one that is not on the path.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Report } from '../figure.ts'

const here = dirname(fileURLToPath(import.meta.url))
const scripts = join(here, '..', '..', '..', 'scripts')
const names = ['chromium', 'chromium-browser', 'google-chrome']

interface PageFigure {
  readonly case: string
  readonly metric: string
  readonly value: number
}

/** Reports `encode.browser` and `decode.browser` for each case. */
export async function measureInBrowser(
  report: Report,
  note: (text: string) => void,
): Promise<void> {
  const browser = findChromium()
  if (browser === undefined) {
    note('no Chromium found (set CHROMIUM to its path): browser figures skipped')
    return
  }
  note(`serializer in ${browser}`)
  const folder = mkdtempSync(join(tmpdir(), 'p2p-bench-'))
  try {
    const page = join(folder, 'page.html')
    writeFileSync(page, `<!doctype html><body></body><script>${await bundlePage()}</script>`)
    for (const { metric, ...figure } of runPage(browser, page, folder)) {
      report({
        suite: 'serializer',
        case: figure.case,
        subject: 'p2p',
        metric: `${metric}.browser`,
        value: Math.round(figure.value),
        unit: 'ops/s',
      })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function findChromium(): string | undefined {
  const candidates = process.env['CHROMIUM'] === undefined ? names : [process.env['CHROMIUM']]
  return candidates.find((name) => spawnSync(name, ['--version']).status === 0)
}

async function bundlePage(): Promise<string> {
  const { installLocked } = (await import(
    pathToFileURL(join(scripts, 'install-locked.mjs')).href
  )) as { installLocked(folder: string, what: string): NodeJS.Require }
  const { build } = installLocked(join(scripts, 'checkers'), 'the bundler')('esbuild') as {
    build(options: object): Promise<{ readonly outputFiles: readonly { readonly text: string }[] }>
  }
  const result = await build({
    entryPoints: [join(here, 'browser-page.js')],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
  })
  return result.outputFiles[0]?.text ?? ''
}

function runPage(browser: string, page: string, folder: string): readonly PageFigure[] {
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const profile = `--user-data-dir=${join(folder, 'profile')}`
  const args = ['--headless=new', '--disable-gpu', ...asRoot, profile, '--dump-dom']
  const { stdout } = spawnSync(browser, [...args, pathToFileURL(page).href], {
    encoding: 'utf8',
    timeout: 120_000,
  })
  const text = /<body>(\[.*?\])/s.exec(stdout)?.[1]
  if (text === undefined) throw new Error(`${browser} did not finish the page`)
  return JSON.parse(text) as readonly PageFigure[]
}
