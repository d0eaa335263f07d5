/**
 * What was worked out lately, by name: the same keys are hashed by everybody on their way, and the same ids read
 * with every record. Two halves, so that nothing has to be counted: when one is full, the other is forgotten.
 */
export class Recent<Result> {
  readonly #half: number
  #newer = new Map<string, Result>()
  #older: ReadonlyMap<string, Result> = this.#newer

  constructor(most: number) {
    this.#half = most / 2
  }

  get(name: string, workOut: () => Result): Result {
    const known = this.#newer.get(name)
    if (known !== undefined) return known
    const result = this.#older.get(name) ?? workOut()
    if (this.#newer.size >= this.#half) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(name, result)
    return result
  }
}
