/**
 * A self-signed certificate with a fresh key, as py2p and js2p make one at their start.
 *
 * Nobody verifies it, on either side: it keeps a passive listener out, and proves nothing. Made by
 * hand because Node can sign but not build certificates, and because the libraries that can are
 * larger than the rest of this package.
 *
 *   Certificate = SEQUENCE { tbs, algorithm, BIT STRING signature over tbs }
 *   tbs = SEQUENCE { [0] version 3, serial, algorithm, issuer, validity, subject, public key }
 *
 * Source: RFC 5280 section 4.1, DER as in ITU-T X.690; key and signature ECDSA with P-256 and SHA-256.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface KeyAndCertificate {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly cert: string
}

/** DER bytes of the object ids in use. */
const objectIds = {
  ecdsaWithSha256: Uint8Array.of(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
  commonName: Uint8Array.of(0x55, 0x04, 0x03),
} as const

const tags = {
  integer: 0x02,
  bitString: 0x03,
  objectId: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const

const serialBytes = 16
const dayMs = 86_400_000
/** Clocks of peers may be slow. */
const validBeforeMs = 2 * dayMs
const validAfterMs = 3_650 * dayMs

export function createSelfSignedCertificate(commonName: string): KeyAndCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = der(tags.sequence, der(tags.objectId, objectIds.ecdsaWithSha256))
  const name = der(
    tags.sequence,
    der(
      tags.set,
      der(
        tags.sequence,
        der(tags.objectId, objectIds.commonName),
        der(tags.utf8String, Buffer.from(commonName)),
      ),
    ),
  )
  const serial = randomBytes(serialBytes)
  // Positive and without leading zeros, as DER wants an integer.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const nowMs = Date.now()
  const signed = der(
    tags.sequence,
    der(tags.version, der(tags.integer, Uint8Array.of(2))),
    der(tags.integer, serial),
    algorithm,
    name,
    der(tags.sequence, time(nowMs - validBeforeMs), time(nowMs + validAfterMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', signed, privateKey)
  const unusedBits = Uint8Array.of(0)
  const certificate = der(
    tags.sequence,
    signed,
    algorithm,
    der(tags.bitString, unusedBits, signature),
  )
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: pem('CERTIFICATE', certificate),
  }
}

/** tag, length, contents */
function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents)
  const { length } = content
  const header =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Uint8Array.from(header), content])
}

/** YYYYMMDDhhmmssZ */
function time(utcMs: number): Uint8Array {
  const digits = new Date(utcMs).toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return der(tags.generalizedTime, Buffer.from(`${digits}Z`))
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
