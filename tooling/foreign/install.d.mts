/** Python is missing, too old, or its packages could not be installed; the message says which. */
export class PythonUnavailableError extends Error {
  override readonly name: 'PythonUnavailableError'
  readonly code: 'P2P_PYTHON_UNAVAILABLE'
}

/** Installs the npm packages of npm/package-lock.json when needed; returns their node_modules. */
export function ensureForeign(): Promise<string>

/** Installs the networks of bench/package-lock.json when needed; returns their node_modules. */
export function ensureBenchPeers(): Promise<string>

/** Makes the virtual environment with py2p and p2py when needed; returns the path of its python. */
export function ensurePython(): Promise<string>
