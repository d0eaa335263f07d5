/** The ring of the hash table: who stands where, the five places of a key, and the way to them. */
import { useState } from 'preact/hooks'
import type { JSX } from 'preact'
import { Canvas } from './canvas.tsx'
import type { Frame } from './canvas.tsx'
import { textOf } from './controls.tsx'
import type { PlaceRow, Source } from './source.ts'

type Table = NonNullable<Source['table']>

export function Ring({
  source,
  table,
}: {
  readonly source: Source
  readonly table: Table
}): JSX.Element {
  const [key, setKey] = useState('colour')
  const [value, setValue] = useState('')
  const [outcome, setOutcome] = useState('')
  const places = key === '' ? [] : table.locate(key)
  const attempt = (what: string, run: () => Promise<string>): void => {
    setOutcome(`${what} …`)
    const begunMs = performance.now()
    run().then(
      (text) => setOutcome(`${what}: ${text} (${Math.round(performance.now() - begunMs)} ms)`),
      (error: unknown) => setOutcome(`${what} failed: ${textOf(error)}`),
    )
  }
  const storing = source.world
    .ofNetwork('chord')
    .filter(({ ringPosition }) => ringPosition !== undefined)
  const label = `Ring of ${storing.length} storing nodes; ${key} lies at ${places.length} places`
  return (
    <section class="ring" aria-labelledby="ring-title">
      <h2 id="ring-title">Hash table</h2>
      <Canvas label={label} draw={(frame) => drawRing(frame, source, places)} />
      <form
        onSubmit={(event) => {
          event.preventDefault()
          attempt(`Storing ${key}`, async () => {
            await table.set(key, value)
            return 'acknowledged'
          })
        }}
      >
        <input
          data-testid="slot"
          aria-label="key of the hash table"
          required
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
        <input
          data-testid="slot-value"
          aria-label="value to store"
          placeholder="value"
          value={value}
          onInput={({ currentTarget }) => setValue(currentTarget.value)}
        />
        <button>Store</button>
        <button
          type="button"
          onClick={() => attempt(`Reading ${key}`, async () => (await table.get(key)) ?? 'nothing')}
        >
          Read
        </button>
      </form>
      <p role="status" data-testid="outcome">
        {outcome}
      </p>
      <Places {...{ places, source }} />
    </section>
  )
}

function Places(props: {
  readonly places: readonly PlaceRow[]
  readonly source: Source
}): JSX.Element {
  const { places, source } = props
  const { world } = source
  return (
    <table>
      <thead>
        <tr>
          <th>table</th>
          <th>place</th>
          <th>owner</th>
          <th>links to it</th>
          <th>holders</th>
        </tr>
      </thead>
      <tbody data-testid="places">
        {places.map(({ table, position, owner, holders, hops }) => (
          <tr key={table} data-holders={holders.join(' ')}>
            <td>{table}</td>
            <td>{position.slice(0, 8)}…</td>
            <td>{owner === undefined ? 'nobody' : world.nameOf(owner)}</td>
            <td>{hops}</td>
            <td>{holders.map((id) => world.nameOf(id)).join(', ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const digitsRead = 8
/** Angle of a place: the ring begins at the top and goes clockwise. */
const angleOf = (position: string): number =>
  (Number.parseInt(position.slice(0, digitsRead), 16) / 16 ** digitsRead) * 2 * Math.PI -
  Math.PI / 2

interface Point {
  readonly x: number
  readonly y: number
}

function drawRing(frame: Frame, source: Source, places: readonly PlaceRow[]): void {
  const { context, width, height, palette } = frame
  const { world, viewpoint } = source
  const centre = { x: width / 2, y: height / 2 }
  const radius = Math.max(10, Math.min(width, height) / 2 - 26)
  const at = (position: string, distance = radius): Point => ({
    x: centre.x + distance * Math.cos(angleOf(position)),
    y: centre.y + distance * Math.sin(angleOf(position)),
  })
  const line = (a: Point, b: Point): void => {
    context.moveTo(a.x, a.y)
    context.lineTo(b.x, b.y)
  }
  context.strokeStyle = palette.line
  context.lineWidth = 1
  context.beginPath()
  context.arc(centre.x, centre.y, radius, 0, 2 * Math.PI)
  context.stroke()

  const points = new Map<string, Point>()
  for (const { id, ringPosition } of world.ofNetwork('chord'))
    if (ringPosition !== undefined) points.set(id, at(ringPosition))
  // The fingers: links of nodes to others across the ring.
  context.globalAlpha = 0.5
  context.beginPath()
  for (const { a, b, state } of world.links.values()) {
    const [one, two] = [points.get(a), points.get(b)]
    if (state === 'open' && one !== undefined && two !== undefined) line(one, two)
  }
  context.stroke()
  context.globalAlpha = 1

  drawPlaces(frame, {
    places,
    points,
    from: points.get(viewpoint ?? '') ?? centre,
    at,
    radius,
    line,
  })
  context.font = '11px system-ui, sans-serif'
  context.textAlign = 'center'
  for (const [id, { x, y }] of points) {
    context.fillStyle = palette.languages[world.nodes.get(id)?.language ?? 'TypeScript']
    context.beginPath()
    context.arc(x, y, points.size > 100 ? 2 : 5, 0, 2 * Math.PI)
    context.fill()
    if (points.size > 24) continue
    context.fillStyle = palette.text
    context.fillText(world.nameOf(id).replace('chord ', ''), x, y - 8)
  }
}

/** The places of the key, and the way from here to whoever owns them. */
function drawPlaces(
  { context, palette }: Frame,
  drawing: {
    readonly places: readonly PlaceRow[]
    readonly points: ReadonlyMap<string, Point>
    readonly from: Point
    readonly at: (position: string, distance?: number) => Point
    readonly radius: number
    readonly line: (a: Point, b: Point) => void
  },
): void {
  const { places, points, from, at, radius, line } = drawing
  for (const { position, owner, holders } of places) {
    const place = at(position, radius - 12)
    context.fillStyle = palette.selected
    context.fillRect(place.x - 3, place.y - 3, 6, 6)
    context.strokeStyle = palette.faint
    context.lineWidth = 1
    context.beginPath()
    for (const holder of holders) {
      const point = points.get(holder)
      if (point !== undefined) line(place, point)
    }
    context.stroke()
    const target = points.get(owner ?? '')
    if (target === undefined) continue
    context.strokeStyle = palette.pulse
    context.lineWidth = 2
    context.beginPath()
    line(from, target)
    context.stroke()
  }
}
