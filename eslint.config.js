import { lintRules } from '@p2p/eslint-config'

export default lintRules(import.meta.dirname, ['tsconfig.json', 'apps/demo/page/tsconfig.json'])
