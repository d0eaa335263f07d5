import { describe, expect, test } from '@jest/globals'
import { MemoryStore } from '../src/store.ts'
import { testStore } from '../src/testing/index.ts'

testStore(
  { describe, test, expect },
  { name: 'memory', create: () => Promise.resolve(new MemoryStore()) },
)
