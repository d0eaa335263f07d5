// The public surface of each package, as a text that is committed: packages/<name>/etc/<name>.api.md,
// <name>.legacy.api.md for the entry point ./legacy, and so on. Made from the built declarations.
//
//   node tooling/scripts/api-report.mjs [name …]           writes the reports
//   node tooling/scripts/api-report.mjs --check [name …]   fails when one is not what the code says
//
// A package takes part from the moment it has a folder etc/. Run it with its name to begin.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installLocked } from './install-locked.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const packages = join(scripts, '..', '..', 'packages')
const args = process.argv.slice(2)
const check = args.includes('--check')
const named = args.filter((arg) => !arg.startsWith('--'))
const takesPart = (name) => existsSync(join(packages, name, 'etc'))
const names = named.length > 0 ? named : readdirSync(packages).filter(takesPart)
for (const name of named.filter((name) => !readdirSync(packages).includes(name))) {
  console.error(`no package is called "${name}"; there are ${readdirSync(packages).join(', ')}`)
  process.exit(2)
}

const require = installLocked(join(scripts, 'api-extractor'), 'api-extractor')
const { Extractor, ExtractorConfig } = require('@microsoft/api-extractor')

/** The entry points of a package: name of the report, path of the declarations. */
function entryPoints(name) {
  const { exports } = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8'))
  return Object.entries(exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([path, target]) => ({
      report: [name, ...path.split('/').slice(1)].join('.'),
      declarations: join(packages, name, target.types),
    }))
}

function configuration(name, { report, declarations }) {
  const folder = join(packages, name)
  return ExtractorConfig.prepare({
    packageJsonFullPath: join(folder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            module: 'NodeNext',
            moduleResolution: 'NodeNext',
            target: 'ES2022',
            lib: ['ES2023', 'ESNext.Disposable', 'DOM'],
            types: [],
            skipLibCheck: true,
            strict: true,
          },
          files: [declarations],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: `${report}.api.md`,
        reportFolder: join(folder, 'etc'),
        reportTempFolder: join(tmpdir(), 'p2p-api-reports', name),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'none' } },
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          'ae-forgotten-export': { logLevel: 'warning', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  })
}

let changed = 0
for (const name of names) {
  mkdirSync(join(packages, name, 'etc'), { recursive: true })
  for (const entry of entryPoints(name)) {
    const missing = !existsSync(entry.declarations)
    if (missing) {
      process.stdout.write(`${entry.report}: not built (${entry.declarations} is missing)\n`)
      changed++
      continue
    }
    const result = Extractor.invoke(configuration(name, entry), {
      localBuild: !check,
      messageCallback: (message) => {
        message.handled = true
      },
    })
    if (result.apiReportChanged) changed++
    const state = result.apiReportChanged ? (check ? 'differs' : 'written') : 'unchanged'
    process.stdout.write(`API report ${entry.report}: ${state}\n`)
  }
}
if (check && changed > 0) {
  process.stdout.write('look at the difference, and run node tooling/scripts/api-report.mjs\n')
  process.exitCode = 1
}
