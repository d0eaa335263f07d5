import { expect, test } from '@jest/globals'
import { PendingWrite } from '../src/protocol/write.ts'

const tables = ['t1', 't2', 't3', 't4', 't5']
const begin = (holders: readonly string[], wanted = holders.length): PendingWrite =>
  new PendingWrite(tables.map((name) => ({ name, holders, wanted })))

test('a write is acknowledged by owner and two replicas in three tables', () => {
  const write = begin(['owner', 'r1', 'r2', 'r3', 'r4'])
  for (const table of ['t1', 't2', 't3']) {
    expect(write.state).toBe('pending')
    for (const holder of ['owner', 'r4', 'r2']) write.settle(table, holder, 'stored')
  }
  expect(write.state).toBe('acknowledged')
})

test('replicas without the owner are not enough', () => {
  const write = begin(['owner', 'r1', 'r2', 'r3', 'r4'])
  for (const table of tables) {
    for (const holder of ['r1', 'r2', 'r3', 'r4']) write.settle(table, holder, 'stored')
  }
  expect(write.state).toBe('pending')
  for (const table of tables) write.settle(table, 'owner', 'failed')
  expect(write.state).toBe('failed')
})

test('where fewer nodes store than are wanted, all of them must', () => {
  const write = begin(['owner', 'r1'])
  for (const table of ['t1', 't2', 't3']) write.settle(table, 'owner', 'stored')
  expect(write.state).toBe('pending')
  for (const table of ['t1', 't2', 't3']) write.settle(table, 'r1', 'stored')
  expect(write.state).toBe('acknowledged')
})

test('a write fails as soon as three tables cannot be reached', () => {
  const write = begin(['owner'])
  write.settle('t1', 'owner', 'failed')
  write.settle('t2', 'owner', 'failed')
  expect(write.state).toBe('pending')
  write.settle('t3', 'owner', 'failed')
  expect(write.state).toBe('failed')
  expect(begin([]).state).toBe('failed')
})

test('the word of a node that was not asked, or gave up, counts for nothing', () => {
  const write = begin(['owner'])
  for (const table of tables) {
    write.settle(table, 'stranger', 'stored')
    write.settle(table, 'owner', 'failed')
    write.settle(table, 'owner', 'stored')
  }
  expect(write.state).toBe('failed')
})

test('what only one of several that store has is not safe', () => {
  const refused = begin(['owner', 'r1', 'r2'])
  for (const table of tables) {
    refused.settle(table, 'owner', 'stored')
    for (const holder of ['r1', 'r2']) {
      refused.settle(table, holder, 'failed')
      refused.replan({ name: table, holders: ['owner', 'r1', 'r2'], wanted: 3 })
    }
  }
  expect(refused.state).toBe('failed')
  const passedOver = begin(['owner'], 2)
  for (const table of tables) passedOver.settle(table, 'owner', 'stored')
  expect(passedOver.state).toBe('failed')
})
