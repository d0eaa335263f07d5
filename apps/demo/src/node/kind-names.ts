/** The kinds of node by name. Apart from `kinds.ts`, so that `p2p --help` loads no network code. */
export const kinds = ['mesh', 'sync', 'chord', 'p2py'] as const
export type Kind = (typeof kinds)[number]
