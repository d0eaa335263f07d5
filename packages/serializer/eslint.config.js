export { pureThroughout as default } from '@p2p/eslint-config'
