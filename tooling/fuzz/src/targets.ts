/** Everything that takes bytes from strangers. Add the targets of a package here. */
import { serializerTargets } from './serializer/targets.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [...serializerTargets]
