import { expect, test } from '@jest/globals'
import { createRequestId } from '../../src/protocol/request-id.ts'

test('bytes that would make some characters likelier than others are thrown away', () => {
  const drawn = [255, 252, 0, 35, 36, 251, 1, 2, 3, 4, 5, 6]
  const id = createRequestId((count) => Uint8Array.from(drawn.splice(0, count)))
  expect(id).toBe('A9A9BC')
})
