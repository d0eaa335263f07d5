/** How who reads our output starts this program: with npm in the repository, where no `p2p` is on the path. */
export const invocation: string =
  process.env['npm_lifecycle_event'] === 'p2p' ? 'npm run p2p --' : 'p2p'
