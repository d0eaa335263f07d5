/**
 * Pickles that get far: instructions with their operands in place, chosen so that the stack mostly
 * holds what they need, and now and then not. Random bytes hardly ever get past the third instruction.
 */
import type { Random } from '../random.ts'

/** What an instruction does to the number of values above the newest mark, roughly. */
interface Instruction {
  readonly needs: number
  readonly leaves: number
  bytes(random: Random): number[]
}

const maxInstructions = 40
const maxMemo = 6

const plain = (opcode: string, needs: number, leaves: number): Instruction => ({
  needs,
  leaves,
  bytes: () => [...Buffer.from(opcode, 'latin1')],
})
const withOperand = (
  opcode: string,
  operand: (random: Random) => number[],
  [needs, leaves]: readonly [number, number] = [0, 1],
): Instruction => ({
  needs,
  leaves,
  bytes: (random) => [...Buffer.from(opcode, 'latin1'), ...operand(random)],
})

const byteOf = (random: Random): number => random.below(256)
const bytesOf = (count: number) => (random: Random) => [...random.bytes(count)]
const ascii = (random: Random): number[] =>
  Array.from({ length: random.below(6) }, () => 0x61 + random.below(4))
const text = (value: string): number[] => [...Buffer.from(value, 'latin1')]
const slot = (random: Random): number => random.below(maxMemo)

/** A length in front of that many bytes; one in eight lies. */
function counted(lengthBytes: number, maxLength = 6): (random: Random) => number[] {
  return (random) => {
    const content = Array.from({ length: random.below(maxLength) }, () => 0x61 + random.below(26))
    const length = random.chance(8) ? random.below(2 ** 32) : content.length
    const header = Array.from({ length: lengthBytes }, (_, index) =>
      index < 4 ? (length >>> (8 * index)) & 0xff : 0,
    )
    return [...header, ...content]
  }
}

const names = ['builtins\nset\n', 'p2py.p2p\nRequest\n', '_codecs\nencode\n', 'os\nsystem\n']
const numbers = ['0\n', '-7\n', '01\n', '00\n', '99999999999999999999\n', '1L\n', '1e9\n', 'nan\n']

const pushes: readonly Instruction[] = [
  ...['N', ')', ']', '}', '\x88', '\x89', '\x8f'].map((opcode) => plain(opcode, 0, 1)),
  withOperand('K', (random) => [byteOf(random)]),
  withOperand('M', bytesOf(2)),
  withOperand('J', bytesOf(4)),
  withOperand('G', bytesOf(8)),
  withOperand('\x8a', counted(1)),
  withOperand('\x8b', counted(4)),
  ...['\x8c', 'C', 'U'].map((opcode) => withOperand(opcode, counted(1))),
  ...['X', 'B', 'T'].map((opcode) => withOperand(opcode, counted(4))),
  ...['\x8d', '\x8e', '\x96'].map((opcode) => withOperand(opcode, counted(8))),
  ...['I', 'L', 'F'].map((opcode) => withOperand(opcode, (random) => text(random.pick(numbers)))),
  withOperand('S', (random) => [...text("'"), ...ascii(random), ...text("'\n")]),
  withOperand('V', (random) => [...ascii(random), 10]),
  withOperand('c', (random) => text(random.pick(names))),
  withOperand('h', (random) => [slot(random)]),
  withOperand('j', (random) => [slot(random), 0, 0, 0]),
  withOperand('g', (random) => text(`${slot(random)}\n`)),
]
const works: readonly Instruction[] = [
  withOperand('q', (random) => [slot(random)], [1, 1]),
  withOperand('r', (random) => [slot(random), 0, 0, 0], [1, 1]),
  withOperand('p', (random) => text(`${slot(random)}\n`), [1, 1]),
  plain('\x94', 1, 1),
  plain('0', 1, 0),
  plain('2', 1, 2),
  plain('a', 2, 1),
  plain('s', 3, 1),
  plain('b', 2, 1),
  plain('R', 2, 1),
  plain('\x81', 2, 1),
  plain('\x85', 1, 1),
  plain('\x86', 2, 1),
  plain('\x87', 3, 1),
  plain('\x93', 2, 1),
]
/** They take everything above the newest mark; those of the second group also what lies below it. */
const gathers = ['l', 't', 'd', '1', '\x91']
const gathersInto = ['e', 'u', '\x90']

/** A program of up to 40 instructions that ends with STOP. */
export function pickleProgram(random: Random): Uint8Array {
  const bytes = random.chance(2) ? [0x80, random.below(6)] : []
  /** Values on the stack since each mark, the bottom first. */
  const heights = [0]
  for (let left = 1 + random.below(maxInstructions); left > 0; left -= 1) {
    bytes.push(...step(random, heights))
  }
  // Most programs leave one value, as they should.
  while (heights.length > 1) bytes.push(...gather(heights, 't'))
  for (let extra = heights[0] ?? 0; extra > 1 && !random.chance(20); extra -= 1) bytes.push(0x30)
  bytes.push(0x2e)
  return Uint8Array.from(bytes)
}

function step(random: Random, heights: number[]): number[] {
  const top = heights.length - 1
  const height = heights[top] ?? 0
  const kind = random.below(10)
  if (kind === 0) {
    heights.push(0)
    return [0x28]
  }
  if (kind === 1 && top > 0) {
    const below = heights[top - 1] ?? 0
    return gather(heights, random.pick(below > 0 ? [...gathers, ...gathersInto] : gathers))
  }
  const usable = random.chance(50) ? works : works.filter(({ needs }) => needs <= height)
  const chosen = kind < 6 && usable.length > 0 ? random.pick(usable) : random.pick(pushes)
  heights[top] = Math.max(0, height - chosen.needs) + chosen.leaves
  return chosen.bytes(random)
}

function gather(heights: number[], opcode: string): number[] {
  heights.pop()
  const top = heights.length - 1
  const leaves = gathersInto.includes(opcode) || opcode === '1' ? 0 : 1
  heights[top] = (heights[top] ?? 0) + leaves
  return [...Buffer.from(opcode, 'latin1')]
}
