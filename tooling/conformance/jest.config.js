export { default } from '@p2p/jest-config'
