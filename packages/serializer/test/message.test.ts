import { expect, test } from '@jest/globals'
import * as serializer from '@p2p/serializer'

test('the package loads', () => {
  expect(serializer).toBeDefined()
})
