export { archiveInflaters } from './archive/inflaters.ts'
export type { Inflater, InflateResult } from './compression.ts'
