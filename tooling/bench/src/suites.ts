/** The suites by name. Each is loaded when it is asked for: some need programs that others do not. */
import type { Suite } from './figure.ts'

export const suites: ReadonlyMap<string, () => Promise<Suite>> = new Map([
  ['serializer', async () => (await import('./serializer/suite.ts')).serializerSuite],
  ['mesh', async () => (await import('./mesh/suite.ts')).meshSuite],
  ['chord', async () => (await import('./chord/suite.ts')).chordSuite],
  ['sync', async () => (await import('./sync/suite.ts')).syncSuite],
])
