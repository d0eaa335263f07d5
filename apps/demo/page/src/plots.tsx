/**
 * Three figures over time. Drawn by hand: three lines without axes to choose or zoom are 60 lines of code,
 * and the plotting libraries that were looked at cost a fifth of what the whole page may weigh.
 */
import type { JSX } from 'preact'
import { Canvas } from './canvas.tsx'
import type { Frame } from './canvas.tsx'
import type { Source } from './source.ts'
import type { Sample } from './world.ts'

interface Figure {
  readonly title: string
  readonly unit: string
  readonly digits: number
  readonly valueOf: (sample: Sample) => number | undefined
}

const figures: readonly Figure[] = [
  {
    title: 'Messages on the links',
    unit: '/s',
    digits: 0,
    valueOf: (sample) => sample.messagesPerSecond,
  },
  {
    title: 'Copies per delivery of a broadcast',
    unit: '',
    digits: 2,
    valueOf: (sample) => sample.copiesPerDelivery,
  },
  {
    title: 'Until the last node had it',
    unit: ' ms',
    digits: 0,
    valueOf: (sample) => sample.convergenceMs,
  },
]

export function Plots({ source: { world } }: { readonly source: Source }): JSX.Element {
  return (
    <section class="plots" aria-labelledby="plots-title">
      <h2 id="plots-title">Figures</h2>
      {figures.map((figure) => {
        const { title, unit, digits, valueOf } = figure
        const values = world.samples.map(valueOf)
        const known = values.filter((value) => value !== undefined)
        const format = (value: number | undefined): string =>
          value === undefined ? '–' : `${value.toFixed(digits)}${unit}`
        const text = `now ${format(known.at(-1))}, most ${format(known.length === 0 ? undefined : Math.max(...known))}`
        return (
          <figure key={title}>
            <figcaption>
              {title}: <b>{text}</b>
            </figcaption>
            <Canvas
              label={`${title} over the last two minutes: ${text}`}
              draw={(frame) => drawLine(frame, values)}
            />
          </figure>
        )
      })}
    </section>
  )
}

const shownSamples = 120
const margin = 4

function drawLine(frame: Frame, values: readonly (number | undefined)[]): void {
  const { context, width, height, palette } = frame
  const top = Math.max(1e-9, ...values.map((value) => value ?? 0))
  context.strokeStyle = palette.line
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(0, height - margin)
  context.lineTo(width, height - margin)
  context.stroke()
  context.strokeStyle = palette.languages.TypeScript
  context.lineWidth = 1.5
  context.beginPath()
  let isFirst = true
  values.forEach((value, index) => {
    if (value === undefined) return
    const x = (index / (shownSamples - 1)) * width
    const y = height - margin - (value / top) * (height - 2 * margin)
    if (isFirst) context.moveTo(x, y)
    else context.lineTo(x, y)
    isFirst = false
  })
  context.stroke()
}
