// Tests run in ESM mode on the sources of all packages: no build is needed first.
// The conditions list must not contain `import` or `default`: jest's own dependencies would
// then resolve to their ESM builds and every suite would fail.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  testMatch: ['**/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironmentOptions: { customExportConditions: ['@p2p/source', 'node', 'node-addons'] },
  transform: {
    '^.+\\.ts$': [
      require.resolve('ts-jest'),
      {
        useESM: true,
        diagnostics: false,
        tsconfig: require.resolve('./tsconfig.json'),
      },
    ],
  },
  // Only ends a test that hangs: how long one takes says nothing on a machine that is busy.
  testTimeout: 60_000,
}
