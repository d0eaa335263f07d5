/**
 * How each program is started. Every driver ends when its stdin does and after a life limit, so
 * that nothing is left behind even when this process is killed.
 */
import { fileURLToPath } from 'node:url'
import type { NodeProgram } from './node-process.ts'

/** Seconds after which a foreign process ends by itself. */
const lifeSeconds = '300'

const driver = (file: string): string =>
  fileURLToPath(new URL(`../drivers/${file}`, import.meta.url))

/** Our own node, as built. */
export function p2pProgram(kind = 'mesh'): NodeProgram {
  const binary = fileURLToPath(new URL('../../../apps/demo/dist/p2p.js', import.meta.url))
  return { name: 'p2p', command: process.execPath, args: [binary, 'node', kind, '--json'] }
}

/** js2p 0.7.870 out of this node_modules folder. It still calls `new Buffer`. */
export function js2pProgram(modules: string): NodeProgram {
  const args = ['--no-deprecation', driver('js2p-driver.cjs'), modules, lifeSeconds]
  return { name: 'js2p', command: process.execPath, args }
}

/** Our node in a tab of this browser. */
export function browserProgram(chromium: string): NodeProgram {
  const args = [driver('browser-driver.mjs'), chromium, lifeSeconds]
  return { name: 'browser', command: process.execPath, args }
}

/** py2p 0.7.870 under this python. */
export function py2pProgram(python: string): NodeProgram {
  // -B: no byte code is written beside the driver.
  return { name: 'py2p', command: python, args: ['-B', driver('py2p_driver.py'), lifeSeconds] }
}

/** p2py 0.23 under this python. */
export function p2pyProgram(python: string): NodeProgram {
  return { name: 'p2py', command: python, args: ['-B', driver('p2py_driver.py'), lifeSeconds] }
}
