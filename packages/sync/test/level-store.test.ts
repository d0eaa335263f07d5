import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStore } from '@p2p/base'
import { testStore } from '@p2p/base/testing'
import { afterAll, describe, expect, test } from '@jest/globals'
import { ClassicLevel } from 'classic-level'

const folders: string[] = []

afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
})

testStore(
  { describe, test, expect },
  {
    name: 'classic-level',
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'p2p-store-'))
      folders.push(folder)
      return new LevelStore(new ClassicLevel<string, Uint8Array>(folder))
    },
  },
)
