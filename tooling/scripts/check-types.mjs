// `npm run typecheck`: all sources and tests in one program, and the page, which has the types of a
// browser. That protocol code gets by without types of any platform is checked by its build.
import { runTsc } from './tsc.mjs'

const statuses = ['tsconfig.json', 'apps/demo/page/tsconfig.json'].map((project) =>
  runTsc(['-p', project]),
)
process.exitCode = Math.max(...statuses)
