/**
 * The flags of protocols 0.2 to 0.5, as the text whose UTF-8 bytes stand in the packet: words up to
 * 0.3, single bytes from 0.4 on. Source: spec/wire.md §11.2, §11.3; the releases' own tables.
 */

const words = {
  main: {
    broadcast: 'broadcast',
    waterfall: 'waterfall',
    whisper: 'whisper',
    renegotiate: 'renegotiate',
  },
  sub: {
    broadcast: 'broadcast',
    whisper: 'whisper',
    handshake: 'handshake',
    request: 'request',
    response: 'response',
    resend: 'resend',
    peers: 'peers',
    compression: 'compression',
  },
} as const

const bytesOf04 = {
  main: {
    broadcast: '\x00',
    waterfall: '\x01',
    whisper: '\x02',
    renegotiate: '\x03',
    ping: '\x04',
    pong: '\x05',
  },
  sub: {
    broadcast: '\x00',
    compression: '\x01',
    whisper: '\x02',
    handshake: '\x03',
    ping: '\x04',
    pong: '\x05',
    notify: '\x06',
    peers: '\x07',
    request: '\x08',
    resend: '\x09',
    response: '\x0a',
    store: '\x0b',
    retrieve: '\x0c',
  },
} as const

const bytesOf05 = {
  main: {
    broadcast: '\x00',
    renegotiate: '\x01',
    whisper: '\x02',
    ping: '\x03',
    pong: '\x04',
  },
  sub: {
    broadcast: '\x00',
    compression: '\x01',
    whisper: '\x02',
    handshake: '\x05',
    notify: '\x06',
    peers: '\x07',
    request: '\x08',
    resend: '\x09',
    response: '\x0a',
    store: '\x0b',
    retrieve: '\x0c',
    retrieved: '\x0d',
  },
} as const

/** Main flags and sub-flags of each version. `waterfall` is what a relayed broadcast becomes. */
export const legacyFlags: {
  readonly '0.2': typeof words
  readonly '0.3': typeof words
  readonly '0.4': typeof bytesOf04
  readonly '0.5': typeof bytesOf05
} = { '0.2': words, '0.3': words, '0.4': bytesOf04, '0.5': bytesOf05 }
