/** Random values as this wire carries them. */
import fc from 'fast-check'
import { Extension, Float } from '@p2p/serializer'
import type { Value } from '@p2p/serializer'

const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => new Uint8Array(array))

/** Whole numbers come in all widths, floats in both forms of JavaScript. */
const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.integer(),
  fc.integer({ min: -140, max: 300 }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.double().filter((number) => !Number.isSafeInteger(number) || Object.is(number, -0)),
  fc.integer().map((number) => new Float(number)),
  text,
  bytes,
  fc.tuple(fc.nat(127), bytes).map(([type, data]) => new Extension(type, data)),
)

/** Keys of a Map: at least one is no text, or it would decode to an object. */
const otherKey = fc.oneof(fc.integer({ min: 2 }), bytes)

export const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.oneof(text, fc.nat(50).map(String)), tie('value'), {
      maxKeys: 6,
      noNullPrototype: false,
    }),
    fc
      .uniqueArray(fc.tuple(otherKey, tie('value')), {
        minLength: 1,
        maxLength: 4,
        selector: ([key]) => String(key) + typeof key,
      })
      .map((entries) => new Map<Value, Value>(entries)),
  ),
})).value
