/**
 * The items in their order, in pieces of at most so many and of at most so many bytes: what goes into one
 * message has a limit. An item that is larger than that is a piece of its own.
 */
export function* portionsOf<Item>(
  items: Iterable<Item>,
  maxCount: number,
  maxBytes: number = Infinity,
  sizeOf: (item: Item) => number = () => 0,
): Generator<readonly Item[]> {
  let portion: Item[] = []
  let bytes = 0
  for (const item of items) {
    const size = sizeOf(item)
    if (portion.length >= maxCount || (portion.length > 0 && bytes + size > maxBytes)) {
      yield portion
      portion = []
      bytes = 0
    }
    portion.push(item)
    bytes += size
  }
  if (portion.length > 0) yield portion
}
