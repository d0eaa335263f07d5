/** Refuses misspelt names of options, and says what was probably meant. */

/** @throws TypeError for a name of `given` that is not among the known ones */
export function checkNames(given: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const near = known.find((candidate) => isNear(name, candidate))
    const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean "${near}"?`
    throw new TypeError(`unknown ${what} "${name}"; ${hint}`)
  }
}

/** True when one slip separates the two: a letter more, less, or wrong, or another case. */
function isNear(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  if (long.length - short.length > 1) return false
  if (a.toLowerCase() === b.toLowerCase()) return true
  let same = 0
  while (same < short.length && short[same] === long[same]) same += 1
  const skip = long.length === short.length ? same + 1 : same
  return short.slice(skip) === long.slice(same + 1)
}
