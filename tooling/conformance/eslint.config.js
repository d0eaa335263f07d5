export { default } from '@p2p/eslint-config'
