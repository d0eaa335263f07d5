/** Refusing bad input means throwing a DecodeError with a code: anything else is a defect of ours. */
import { DecodeError } from '@p2p/serializer'

/** The error with which `read` refused; undefined when it took the input. Throws what is no DecodeError. */
export function refusalOf(read: () => unknown): DecodeError | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    if (error instanceof DecodeError) return error
    throw error
  }
}
