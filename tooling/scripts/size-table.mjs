// What each feature of a bundle weighs: the bytes that esbuild counts for its modules, and the same share of the
// gzip size. Every module belongs to the first feature that names its folder or file.
const features = [
  [
    'values and messages',
    /^serializer\/(msgpack|index|message|value|text|bytes|limits|errors|flags|ids|base58|negotiate|platform\/text)/,
  ],
  ['frames and their checksums', /^serializer\/(frame|platform\/digest)|^@noble\/hashes/],
  ['compression that the originals speak', /^serializer\/|^fflate/],
  [
    'one link: handshake, hello, queue, limits',
    /^base\/protocol\/(connection|handshake|hello|frame|send-queue|python|accept|heartbeats|link|limits)/,
  ],
  ['all links: dials, double links, deadlines', /^base\/protocol\//],
  ['the shell: options, clock, transports, address book', /^base\//],
  [
    'broadcast along trees',
    /^mesh\/protocol\/(tree|sender-trees|recent|missing|held|holder|timed|message-key|dissemination|flood)/,
  ],
  ['whom to link with, peers lists', /^mesh\/protocol\/(overlay|peer-exchange|shuffle)/],
  [
    'once each, searches, stamps, tails',
    /^mesh\/protocol\/(seen|twin|searches|outgoing|message-tail)/,
  ],
  ['the mesh machine', /^mesh\/protocol\//],
  ['MeshNode: topics, requests, iterator', /^mesh\//],
  ['the dictionary: machine', /^sync\/protocol\//],
  ['SyncNode and its store', /^sync\//],
  ['the hash table: ring, replicas, repair', /^chord\/protocol\//],
  ['ChordNode and its store', /^chord\//],
]

/** `packages/mesh/dist/x.js` as `mesh/x.js`, `…/node_modules/fflate/…` as `fflate/…`. */
const shortName = (path) =>
  path
    .replace(/^.*node_modules\//, '')
    .replace(/^.*packages\//, '')
    .replace('/dist/', '/')

/**
 * @param output of esbuild's metafile: { bytes, inputs: { [path]: { bytesInOutput } } }
 * @param gzipBytes of the whole bundle
 * @param eachModule one more line for every module
 * @returns lines: KiB of gzip, bytes before it, name
 */
export function sizeTable(output, gzipBytes, eachModule) {
  const modules = Object.entries(output.inputs)
    .map(([path, { bytesInOutput }]) => ({ name: shortName(path), bytes: bytesInOutput }))
    .filter(({ bytes }) => bytes > 0)
    .sort((one, two) => two.bytes - one.bytes)
  const row = ({ name, bytes }, indent = '') => {
    const kib = (bytes * gzipBytes) / output.bytes / 1024
    return `${kib.toFixed(2).padStart(8)} KiB ${String(bytes).padStart(8)} bytes  ${indent}${name}`
  }
  const lines = []
  const groups = [...features, ['what ties them together', /./]]
  let waiting = modules
  for (const [name, pattern] of groups) {
    const own = waiting.filter((module) => pattern.test(module.name))
    waiting = waiting.filter((module) => !pattern.test(module.name))
    if (own.length === 0) continue
    lines.push(row({ name, bytes: own.reduce((sum, { bytes }) => sum + bytes, 0) }))
    if (eachModule) lines.push(...own.map((module) => row(module, '  ')))
  }
  return lines
}
