// Drives one js2p 0.7.870 node by JSON lines: commands on stdin, answers and events on stdout.
//
//   node js2p-driver.cjs NODE_MODULES [LIFE_SECONDS]
//
// Operations: listen connect disconnect send whisper reply request_peers set del get pop delta keys
// items join unjoin status peers ping close exit. It ends when stdin does, and in any case after its
// life limit. What js2p prints goes to stderr.
//
// js2p tells neither that a handshake arrived nor that a peer is gone, so its routing table is
// watched: it is a Map, and every accepted handshake calls its `set`.
'use strict'

const net = require('node:net')
const path = require('node:path')
const readline = require('node:readline')
const { argumentsOf, fromTagged, toTagged } = require('./tagged-values.cjs')

console.log = console.info = console.warn = (...parts) => console.error(...parts)
const [modules, lifeSeconds = '120'] = process.argv.slice(2)
setTimeout(() => process.exit(3), Number(lifeSeconds) * 1000).unref()

const js2p = require(path.join(path.resolve(modules), 'js2p'))
const { base } = js2p

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const event = (ev, fields = {}) => write({ ev, at: Date.now() / 1000, ...fields })
const textOf = (id) => (id === null || id === undefined ? null : id.toString())

class DriverError extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

let node
let kind
let scheme = 'tcp'
/** Links whose handshake was read, with the id they gave. */
const joined = new Map()
/** Called with every link that joins or closes; see connect(). */
const watchers = new Set()
/** Message id in hex to message; the newest 1,000, newest last. */
const received = new Map()

const schemes = { Plaintext: 'tcp', SSL: 'tls', ws: 'ws', wss: 'wss' }
const urlOf = (address) =>
  address && address[0] && address[1] ? `${scheme}://${textOf(address[0])}:${address[1]}` : null

function splitAddress(address) {
  const match = /^(\w+):\/\/(.+):(\d+)$/.exec(address)
  if (match === null) throw new DriverError('P2P_INVALID_ADDRESS', `no address: ${address}`)
  return { scheme: match[1], host: match[2], port: Number(match[3]) }
}

function needNode() {
  if (node === undefined)
    throw new DriverError('P2P_NOT_LISTENING', 'the first command must be listen')
  return node
}

function findPeer(id) {
  for (const [known, link] of needNode().routing_table) if (textOf(known) === id) return link
  throw new DriverError('P2P_NOT_CONNECTED', `no neighbour ${id}`)
}

/** Id of the message the last call sent; js2p puts everything it sends first into this list. */
function sentId(before) {
  const newest = needNode().waterfalls[0]
  return { id: newest === undefined || newest === before ? null : newest[0].toString('hex') }
}

function watch(table) {
  const set = table.set.bind(table)
  table.set = (id, link) => {
    set(id, link)
    // A peer dialled under a known id is entered before its handshake; it has no address yet.
    if (link.addr !== null && !joined.has(link)) {
      joined.set(link, textOf(id))
      event('peer_join', { id: textOf(id), address: urlOf(link.addr) })
      if (kind === 'chord') watchStoring(link)
      link.sock.on('close', () => {
        joined.delete(link)
        event('peer_leave', { id: textOf(id), reason: 'link closed' })
      })
    }
    for (const watcher of watchers) watcher(link)
    return table
  }
}

/** Reports when a chord neighbour says that it stores, or no longer does. */
function watchStoring(link) {
  let { leeching } = link
  const report = () => event('peer_meta', { id: textOf(link.id), storing: leeching === false })
  Object.defineProperty(link, 'leeching', {
    get: () => leeching,
    set: (value) => {
      leeching = value
      report()
    },
  })
  if (leeching === false) report()
}

function takeMessages() {
  for (let message = node.recv(); message !== undefined; message = node.recv()) {
    const id = message.id.toString('hex')
    received.delete(id)
    received.set(id, message)
    if (received.size > 1000) received.delete(received.keys().next().value)
    event('message', {
      id,
      sender: toTagged(message.sender),
      time: toTagged(message.time),
      packets: toTagged(message.packets),
    })
  }
}

function freePort(host) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer()
    probe.on('error', reject)
    probe.listen(0, host, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

const operations = {
  async listen(command) {
    kind = command.kind ?? 'mesh'
    let { host = '127.0.0.1', port = 0, encryption = 'Plaintext' } = command
    const [first] = [command.listen ?? []].flat()
    if (first !== undefined) {
      const parts = splitAddress(first)
      ;({ host, port } = parts)
      encryption = Object.keys(schemes).find((name) => schemes[name] === parts.scheme)
    }
    scheme = schemes[encryption]
    port ||= await freePort(host)
    if (command.compression !== undefined) {
      const kept = base.compression.filter((method) => command.compression.includes(method))
      base.compression.splice(0, Infinity, ...kept)
    }
    const protocol = new base.Protocol(command.subnet ?? kind, encryption)
    const outAddress = command.out_addr
    const leasing = command.leasing ?? true
    if (kind === 'mesh') node = new js2p.mesh.MeshSocket(host, port, protocol, outAddress)
    else if (kind === 'sync')
      node = new js2p.sync.SyncSocket(host, port, protocol, leasing, outAddress)
    else if (kind === 'chord') node = new js2p.chord.ChordSocket(host, port, protocol, outAddress)
    else throw new DriverError('P2P_UNSUPPORTED_KIND', `js2p has no kind ${kind}`)
    watch(node.routing_table)
    node.on('connect', () => event('connect'))
    node.on('message', takeMessages)
    node.on('update', (_, key, value, { owner, timestamp }) =>
      event('update', {
        key: toTagged(key),
        value: toTagged(value),
        owner: toTagged(owner),
        timestamp: toTagged(timestamp),
      }),
    )
    node.on('delete', (_, key) => event('delete', { key: toTagged(key) }))
    node.on('add', (_, key) => event('add', { key: toTagged(key) }))
    const listening = node.incoming.socket ?? node.incoming
    if (!listening.listening)
      await new Promise((resolve, reject) => {
        node.incoming.once('listening', resolve)
        node.incoming.once('error', reject)
      })
    return {
      id: textOf(node.id),
      port,
      addresses: [`${scheme}://${host}:${port}`],
      protocol: node.protocol.id,
      compression: base.compression,
      version: 'js2p 0.7.870',
    }
  },

  connect({ host, port, address, timeoutMs = 5000 }) {
    needNode()
    if (address !== undefined) ({ host, port } = splitAddress(address))
    const before = new Set(node.awaiting_ids)
    if (node.connect(host, port) !== undefined) {
      for (const [link, id] of joined)
        if (link.addr[0] === host && link.addr[1] === port) return { peer: id }
      throw new DriverError('P2P_DIAL_REFUSED', 'js2p holds this host or port for connected')
    }
    const link = node.awaiting_ids.find((candidate) => !before.has(candidate))
    return new Promise((resolve, reject) => {
      const finish = (settle) => {
        clearTimeout(timer)
        watchers.delete(onJoin)
        settle()
      }
      const fail = (code, text) => finish(() => reject(new DriverError(code, text)))
      const timer = setTimeout(
        () => fail('P2P_HANDSHAKE_TIMEOUT', `no handshake from ${host}:${port}`),
        timeoutMs,
      )
      const onJoin = (other) => {
        if (other === link) finish(() => resolve({ peer: joined.get(link) }))
      }
      watchers.add(onJoin)
      link.sock.on('error', (error) =>
        fail(
          error?.code === 'ECONNREFUSED' ? 'P2P_CONNECTION_REFUSED' : 'P2P_DIAL_FAILED',
          String(error?.message),
        ),
      )
      link.sock.on('close', () => fail('P2P_CONNECTION_CLOSED', 'closed before a handshake'))
    })
  },

  disconnect({ peer }) {
    node.disconnect(findPeer(peer))
  },

  send({ args }) {
    const before = needNode().waterfalls[0]
    node.send(argumentsOf(args))
    return sentId(before)
  },
  whisper({ peer, args }) {
    const link = findPeer(peer)
    const before = node.waterfalls[0]
    link.send(base.flags.whisper, [base.flags.whisper, ...argumentsOf(args)])
    return sentId(before)
  },
  reply({ to, args }) {
    const message = received.get(to ?? [...received.keys()].pop())
    if (message === undefined)
      throw new DriverError('P2P_UNKNOWN_MESSAGE', 'no message to reply to')
    message.reply(argumentsOf(args))
  },
  request_peers() {
    needNode().send(['*'], base.flags.whisper, base.flags.request)
  },

  set({ key, value }) {
    needNode().set(fromTagged(key), fromTagged(value))
  },
  del({ key }) {
    needNode().del(fromTagged(key))
  },
  async get({ key, fallback, wait = 10 }) {
    return { value: toTagged(await needNode().get(fromTagged(key), fromTagged(fallback), wait)) }
  },
  async pop({ key, fallback }) {
    return { value: toTagged(await needNode().pop(fromTagged(key), fromTagged(fallback))) }
  },
  async delta({ key, delta }) {
    const value = await needNode().apply_delta(fromTagged(key), fromTagged(delta))
    return kind === 'chord' ? { value: toTagged(value) } : {}
  },
  keys() {
    return { keys: [...needNode().keys()].map(toTagged) }
  },
  async items() {
    const entries = await Promise.all(
      [...needNode().keys()].map(async (key) => [key, await node.get(key)]),
    )
    const items = entries.map((entry) => entry.map(toTagged))
    if (kind === 'chord') return { items }
    const meta = Object.entries(node.metadata).map(([key, { owner, timestamp }]) =>
      [key, owner, timestamp].map(toTagged),
    )
    return { items, meta }
  },
  join() {
    needNode().join()
  },
  unjoin() {
    needNode().unjoin()
  },

  status() {
    const status = needNode().status
    const peers = [...node.routing_table].map(([id, link]) => ({
      id: textOf(id),
      address: urlOf(link.addr),
      outgoing: link.outgoing,
      old: true,
    }))
    const text = Array.isArray(status)
      ? status.map((error) => String(error?.stack ?? error))
      : status
    return { status: text, peers, report: {} }
  },
  peers() {
    const ids = [...needNode().routing_table.keys()].map(textOf)
    return { peers: ids, awaiting: node.awaiting_ids.length }
  },
  ping() {},
  exit() {},
  close() {
    needNode().close()
    for (const link of [...node.awaiting_ids]) link.sock.destroy?.()
    node = undefined
    return { handles: 0 }
  },
}

async function answer(command) {
  const started = performance.now()
  const { op, seq: re = null } = command
  try {
    if (!Object.hasOwn(operations, op))
      throw new DriverError('P2P_UNKNOWN_COMMAND', `js2p's driver has no op ${op}`)
    const fields = await operations[op](command)
    const ms = Math.round((performance.now() - started) * 1000) / 1000
    write({ re, op, ok: true, ms, ...fields })
  } catch (error) {
    const code = error instanceof DriverError ? error.code : 'P2P_PEER_RAISED'
    write({ re, op, ok: false, code, error: error.message })
  }
}

// js2p lets socket errors that come after a close go unhandled; they concern no command.
process.on('uncaughtException', (error) => {
  console.error(error)
  event('error', { code: 'P2P_PEER_RAISED', error: String(error?.message ?? error) })
})

const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (text) => {
  let command
  try {
    command = JSON.parse(text)
    if (typeof command !== 'object' || command === null) throw new Error('no JSON object')
  } catch (error) {
    write({ ok: false, code: 'P2P_BAD_COMMAND', error: error.message })
    return
  }
  void answer(command)
  if (command.op === 'exit') lines.close()
})
// Answers that need no waiting still go out.
lines.on('close', () => setImmediate(() => process.stdout.write('', () => process.exit(0))))
