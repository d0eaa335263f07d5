export { testStore } from './store-suite.ts'
export type { StoreSubject } from './store-suite.ts'
export { testTransport } from './transport-suite.ts'
export type { TestFramework, TransportSubject } from './transport-suite.ts'
