/** The list in its order, in pieces of at most so many: what goes into one message has a limit. */
export function portionsOf<Item>(
  list: readonly Item[],
  size: number,
): readonly (readonly Item[])[] {
  const starts = Array.from({ length: Math.ceil(list.length / size) }, (_, at) => at * size)
  return starts.map((start) => list.slice(start, start + size))
}
