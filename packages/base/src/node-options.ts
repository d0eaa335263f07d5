/**
 * The options that every kind of node takes, checked by hand so that a mistake is told at once and in
 * plain words, and nothing has to be imported for it.
 */
import { parseAddress } from './protocol/address.ts'
import { checkNames } from './protocol/known-names.ts'
import { defaultLimits, resolveLimits } from './protocol/limits.ts'
import type { NodeLimits } from './protocol/limits.ts'
import type { Logger } from './runtime.ts'
import type { Store } from './store.ts'
import type { Transport } from './transport.ts'

export interface NodeOptions {
  /** Addresses to listen on, such as `tcp://0.0.0.0:4444`; port 0 means any. None: the node only dials. */
  readonly listen?: string | readonly string[]
  /** Addresses of nodes to join; dialled again for as long as the node lives. */
  readonly connect?: string | readonly string[]
  /** Name of the network; nodes of different subnets refuse each other. */
  readonly subnet?: string
  /** What others are told to dial, when it differs from `listen` (behind a router or a proxy). */
  readonly advertise?: string | readonly string[]
  readonly limits?: Partial<NodeLimits>
  readonly logger?: Logger
  /** Closes the node when it is aborted. */
  readonly signal?: AbortSignal
  /** Keeps known addresses, and what the kind of node adds, over restarts. The node does not close it. */
  readonly store?: Store
  /** How the own id goes out; `text` (default) suits all old peers best. */
  readonly idEncoding?: 'text' | 'bytes'
  /** False makes a plain 0.7 node that uses nothing new; default true. */
  readonly extensions?: boolean
  /** Numbers of the compression methods offered; default zlib and gzip; empty for none. */
  readonly compression?: readonly number[]
  /** In place of the transports that come with the platform. */
  readonly transports?: readonly Transport[]
}

/** The options with everything filled in that has a default. */
export interface ResolvedNodeOptions {
  readonly listen: readonly string[]
  readonly connect: readonly string[]
  readonly subnet: string
  readonly advertise: readonly string[]
  readonly limits: NodeLimits
  readonly logger: Logger | undefined
  readonly signal: AbortSignal | undefined
  readonly store: Store | undefined
  readonly idEncoding: 'text' | 'bytes'
  readonly extensions: boolean
  readonly compression: readonly number[] | undefined
  readonly transports: readonly Transport[] | undefined
}

const optionNames = [
  'listen',
  'connect',
  'subnet',
  'advertise',
  'limits',
  'logger',
  'signal',
  'store',
  'idEncoding',
  'extensions',
  'compression',
  'transports',
] as const

/** All that a node calls; it leaves `close` to the application. */
const storeMethods = ['get', 'put', 'delete', 'batch', 'iterate'] as const

/** UTF-8 cannot carry it: two such names would be one network. */
const loneSurrogate = /[\ud800-\udfff]/u

/**
 * Checks the options of a node and fills in the defaults.
 *
 * @param kind.ownNames further option names of this kind of node, which it checks itself
 * @param kind.ownLimits further limit names of this kind of node, which it checks itself
 * @throws TypeError for a wrong type or an unknown name, RangeError for a value out of range
 */
export function resolveNodeOptions(
  options: NodeOptions,
  kind: {
    readonly subnet: string
    readonly ownNames?: readonly string[]
    readonly ownLimits?: readonly string[]
  },
): ResolvedNodeOptions {
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw new TypeError('options must be an object')
  const { ownNames = [], ownLimits = [] } = kind
  checkNames(given, [...optionNames, ...ownNames], 'option')
  const { subnet = kind.subnet, idEncoding = 'text', extensions = true, compression } = options
  checkType('subnet', subnet, 'string')
  if (loneSurrogate.test(subnet)) throw new RangeError('subnet has half a surrogate pair in it')
  checkType('extensions', extensions, 'boolean')
  if (idEncoding !== 'text' && idEncoding !== 'bytes') {
    throw new TypeError(`idEncoding must be "text" or "bytes", got ${show(idEncoding)}`)
  }
  const methods: unknown = compression ?? []
  if (!Array.isArray(methods) || !methods.every(Number.isSafeInteger)) {
    throw new TypeError('compression must be a list of method numbers')
  }
  return {
    listen: addresses('listen', options.listen),
    connect: addresses('connect', options.connect),
    advertise: addresses('advertise', options.advertise),
    subnet,
    limits: nodeLimits(options.limits ?? {}, ownLimits),
    logger: withMethods('logger', options.logger, ['debug', 'warn']),
    signal: withMethods('signal', options.signal, ['addEventListener']),
    store: withMethods('store', options.store, storeMethods),
    idEncoding,
    extensions,
    compression,
    transports: options.transports,
  }
}

function nodeLimits(limits: object, ownLimits: readonly string[]): NodeLimits {
  checkNames(limits, [...Object.keys(defaultLimits), ...ownLimits], 'limit')
  const known = Object.entries(limits).filter(([name]) => Object.hasOwn(defaultLimits, name))
  return resolveLimits(Object.fromEntries(known))
}

function addresses(name: string, value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map((address) => {
    if (typeof address !== 'string') {
      throw new TypeError(`${name} must be one or more addresses, got ${show(address)}`)
    }
    if (parseAddress(address) === undefined) {
      const hint = 'such as tcp://127.0.0.1:4444'
      throw new RangeError(`${name} has "${address}", which is no address ${hint}`)
    }
    return address
  })
}

function checkType(name: string, value: unknown, type: 'string' | 'boolean'): void {
  if (typeof value !== type) throw new TypeError(`${name} must be a ${type}, got ${show(value)}`)
}

/** Checks an option whose methods are called. @throws TypeError */
export function withMethods<Subject extends object>(
  name: string,
  value: Subject | undefined,
  methods: readonly string[],
): Subject | undefined {
  if (value === undefined) return undefined
  const subject: unknown = value
  if (typeof subject !== 'object' || subject === null) {
    throw new TypeError(`${name} must be an object, got ${show(value)}`)
  }
  for (const method of methods) {
    if (typeof (subject as Record<string, unknown>)[method] !== 'function') {
      throw new TypeError(`${name} must have a method ${method}()`)
    }
  }
  return value
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
