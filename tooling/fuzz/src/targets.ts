/** Everything that takes bytes from strangers. Add the targets of a package here. */
import { p2pyTargets } from './p2py/targets.ts'
import { serializerTargets } from './serializer/targets.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [...serializerTargets, ...p2pyTargets]
