/** Ends the reading of a block from deep inside; what calls the reader turns it into an `InflateResult`. */
export class InflateFailure extends Error {
  readonly type: 'invalid' | 'too-large'

  constructor(type: 'invalid' | 'too-large') {
    super(type)
    this.type = type
  }
}
