// Tagged values: msgpack values as JSON that tells str from bin and int from float, as js2p has them.
// Numbers without a fraction count as ints, because js2p writes them so. See tagged_values.py.
'use strict'

function toTagged(value) {
  if (value === null) return { t: 'nil' }
  if (value === undefined) return { t: 'undefined' }
  if (typeof value === 'boolean') return { t: 'bool', v: value }
  if (typeof value === 'string') return { t: 'str', v: value }
  if (typeof value === 'bigint') return { t: 'int', v: value.toString() }
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return { t: 'int', v: BigInt(value).toString() }
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    return { t: 'float', hex: bytes.toString('hex') }
  }
  if (value instanceof Uint8Array) return { t: 'bin', hex: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return { t: 'array', v: value.map(toTagged) }
  // big-integer's numbers, which js2p uses for what it computes itself
  if (typeof value.toJSNumber === 'function') return { t: 'int', v: value.toString() }
  if (Object.getPrototypeOf(value) === Object.prototype) {
    const pairs = Object.entries(value)
    return { t: 'map', v: pairs.map(([key, item]) => [toTagged(key), toTagged(item)]) }
  }
  return { t: 'object', js: String(value) }
}

function fromTagged(tagged) {
  if (typeof tagged !== 'object' || tagged === null || typeof tagged.t !== 'string') return tagged
  switch (tagged.t) {
    case 'nil':
      return null
    case 'undefined':
      return undefined
    case 'bool':
      return tagged.v
    case 'int':
      return Number(tagged.v)
    case 'float':
      return Buffer.from(tagged.hex, 'hex').readDoubleBE(0)
    case 'str':
      return tagged.v ?? tagged.repeat.repeat(tagged.count)
    case 'bin':
      return Buffer.from(tagged.hex ?? tagged.repeat.repeat(tagged.count), 'hex')
    case 'array':
      return tagged.v?.map(fromTagged) ?? Array(tagged.count).fill(fromTagged(tagged.repeat))
    case 'map':
      return Object.fromEntries(tagged.v.map((pair) => pair.map(fromTagged)))
    default:
      throw new Error(`unknown tag ${tagged.t}`)
  }
}

/** The packets of a command: a list of tagged values, or one tagged array. */
function argumentsOf(args = []) {
  return Array.isArray(args) ? args.map(fromTagged) : fromTagged(args)
}

module.exports = { toTagged, fromTagged, argumentsOf }
