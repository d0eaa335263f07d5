/** Bad input must be refused cheaply. */
import assert from 'node:assert/strict'

/** More processor time than any one input may cost, whatever the machine is doing besides. */
const maxCpuMs = 5_000
/** More memory than any one input may add to the process: three times what it may inflate to. */
const maxAddedBytes = 96 * 1024 * 1024

/** Runs `read` and fails when it took more processor time or memory than bad input may cost. */
export function withinBounds<Result>(read: () => Result): Result {
  const memoryBefore = process.resourceUsage().maxRSS
  const cpuBefore = process.cpuUsage()
  const result = read()
  const { user, system } = process.cpuUsage(cpuBefore)
  const addedBytes = (process.resourceUsage().maxRSS - memoryBefore) * 1024
  assert.ok(user + system < maxCpuMs * 1000, `took ${(user + system) / 1000} ms of processor time`)
  assert.ok(addedBytes < maxAddedBytes, `took ${addedBytes} bytes of memory`)
  return result
}
