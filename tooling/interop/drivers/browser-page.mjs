// The node in a browser tab: runs in the page that browser-driver.mjs serves. Takes commands from an
// event stream and posts answers and events, the same lines as every other driver.
import { MeshNode } from '@p2p/mesh'
import { fromHex, toHex } from '@p2p/serializer'

const lines = []
let isPosting = false

/** Lines arrive in the order in which they were written: one request at a time. */
async function write(line) {
  lines.push(JSON.stringify(line))
  if (isPosting) return
  isPosting = true
  while (lines.length > 0) {
    await fetch('/lines', { method: 'POST', body: lines.splice(0).join('\n') })
  }
  isPosting = false
}
const emit = (ev, fields) => void write({ ev, at: Date.now() / 1_000, ...fields })

function toTagged(value) {
  if (value === null) return { t: 'nil' }
  if (typeof value === 'string') return { t: 'str', v: value }
  if (value instanceof Uint8Array) return { t: 'bin', hex: toHex(value) }
  if (typeof value === 'number') return { t: 'int', v: String(value) }
  return { t: 'array', v: value.map(toTagged) }
}

function fromTagged(value) {
  if (value.t === 'str') return value.v
  if (value.t === 'bin') return fromHex(value.hex)
  if (value.t === 'int') return Number(value.v)
  throw new TypeError(`this page knows no ${value.t}`)
}

let node
const received = new Map()

const operations = {
  async listen({ subnet = 'mesh' }) {
    node = await MeshNode.open({ subnet })
    node.on('peer:join', (peer) =>
      emit('peer_join', { id: peer.id, address: peer.address ?? null }),
    )
    node.on('peer:leave', ({ peer, reason }) =>
      emit('peer_leave', { id: peer.id, reason: reason.code }),
    )
    node.on('error', ({ code, message }) => emit('error', { code, error: message }))
    node.on('message', (message) => {
      received.set(message.id, message)
      const { sender, payload } = message.wire
      emit('message', {
        id: message.id,
        sender: toTagged(sender),
        packets: toTagged(payload),
      })
    })
    return { id: node.id, addresses: node.addresses }
  },
  connect: async ({ address, timeoutMs = 5_000 }) => ({
    peer: (await node.connect(address, { timeoutMs })).id,
  }),
  send: ({ args }) => ({ id: node.broadcast(...args.map(fromTagged)) }),
  whisper: ({ peer, args }) => ({ id: node.whisper(peer, ...args.map(fromTagged)) }),
  async reply({ to, args }) {
    await received.get(to).reply(...args.map(fromTagged))
  },
  close: () => node.close(),
}

new EventSource('/commands').onmessage = async ({ data }) => {
  const { op, seq, ...fields } = JSON.parse(data)
  try {
    void write({ re: seq, ok: true, ...(await operations[op](fields)) })
  } catch (error) {
    void write({ re: seq, ok: false, code: error.code ?? error.name, error: error.message })
  }
}
