// The shape of every line of `p2p node … --json`, op by op, as users of it rely on: see the README.
import * as z from 'zod/mini'

const hex = z.string().check(z.regex(/^[0-9a-f]*$/))
const tagged: z.ZodMiniType<unknown> = z.lazy(() =>
  z.union([
    z.strictObject({ t: z.enum(['nil', 'none']) }),
    z.strictObject({ t: z.literal('bool'), v: z.boolean() }),
    z.strictObject({ t: z.literal('int'), v: z.string().check(z.regex(/^-?\d+$/)) }),
    z.strictObject({ t: z.literal('str'), v: z.string() }),
    z.strictObject({ t: z.enum(['bin', 'bytes', 'float']), hex }),
    z.strictObject({ t: z.enum(['array', 'list', 'tuple']), v: z.array(tagged) }),
    z.strictObject({ t: z.enum(['map', 'dict']), v: z.array(z.tuple([tagged, tagged])) }),
  ]),
)
const id = z.string().check(z.minLength(1))
const messageId = hex.check(z.length(64))
const position = hex.check(z.length(96))
const seconds = z.number()
const answerHead = { re: z.int(), ok: z.literal(true), ms: z.number().check(z.nonnegative()) }

/** Fields of the answers beyond `re`, `op`, `ok` and `ms`. */
const answerFields: Readonly<Record<string, z.core.$ZodShape>> = {
  listen: {
    id: z.string(),
    port: z.nullable(z.int()),
    addresses: z.array(z.string()),
    protocol: z.string(),
    compression: z.array(z.int()),
    version: z.string(),
  },
  connect: { peer: id },
  bootstrap: { listed: z.int(), peers: z.int() },
  disconnect: {},
  send: { id: messageId },
  whisper: { id: messageId },
  sendto: {},
  reply: {},
  request_peers: {},
  set: {},
  del: {},
  get: { value: tagged },
  pop: { value: tagged },
  delta: { value: z.optional(tagged) },
  keys: { keys: z.array(tagged) },
  items: {
    items: z.array(z.tuple([tagged, tagged])),
    meta: z.optional(z.array(z.tuple([tagged, tagged, tagged]))),
  },
  digest: { digest: z.string() },
  settled: { digest: z.string(), nodes: z.int() },
  join: {},
  unjoin: {},
  locate: {
    positions: z.array(
      z.strictObject({
        table: z.string(),
        position,
        owner: z.nullable(id),
        hops: z.int(),
        holders: z.array(id),
      }),
    ),
  },
  data: { data: z.record(z.string(), z.array(z.tuple([position, tagged]))), id_10: position },
  p2py_join: { uuid: z.int(), network_size: z.int() },
  p2py_send: {},
  p2py_book: {},
  p2py_request: { response: tagged },
  p2py_handle: {},
  p2py_leave: {},
  status: {
    status: z.union([z.literal('Nominal'), z.array(z.string())]),
    peers: z.array(z.looseObject({ id })),
    report: z.looseObject({}),
  },
  peers: { peers: z.array(z.string()), awaiting: z.int() },
  close: { handles: z.int(), resources: z.array(z.string()) },
  ping: {},
  exit: {},
}

const eventFields: Readonly<Record<string, z.core.$ZodShape>> = {
  open: answerFields['listen'] ?? {},
  connect: {},
  peer_join: { id, address: z.nullable(z.string()) },
  peer_leave: { id, reason: z.string() },
  peer_meta: { id, storing: z.boolean(), size: z.int() },
  message: { id: messageId, sender: tagged, time: tagged, packets: tagged },
  update: { key: tagged, value: tagged, owner: tagged, timestamp: tagged },
  delete: { key: tagged },
  add: { key: tagged },
  conflict: { key: tagged, lost: tagged, won: tagged },
  joined: { uuid: z.int() },
  text: { from: z.tuple([z.string(), z.int()]), uuid: z.nullable(z.int()), data: tagged },
  error: { code: z.string(), error: z.string() },
}

const refusal = z.strictObject({
  re: z.nullable(z.int()),
  op: z.nullable(z.string()),
  ok: z.literal(false),
  code: z.string().check(z.regex(/^P2P_[A-Z0-9_]+$/)),
  error: z.string().check(z.minLength(1)),
})

const answers = Object.entries(answerFields).map(([op, fields]) =>
  z.strictObject({ ...answerHead, op: z.literal(op), ...fields }),
)
const events = Object.entries(eventFields).map(([ev, fields]) =>
  z.strictObject({ ev: z.literal(ev), at: seconds, ...fields }),
)
/** A message of a p2py network has other fields. */
const p2pyMessage = z.strictObject({
  ev: z.literal('message'),
  at: seconds,
  type: z.string(),
  from: z.tuple([z.string(), z.int()]),
  uuid: z.nullable(z.int()),
  data: tagged,
})

/** Any line that `p2p node` writes. */
export const outputLine: z.ZodMiniType<unknown> = z.union([
  refusal,
  ...answers,
  ...events,
  p2pyMessage,
])

/** Every op there is. */
export const operationNames: readonly string[] = Object.keys(answerFields)
