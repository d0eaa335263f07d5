/** What passes on the links, and what the bytes of each frame are. */
import { useState } from 'preact/hooks'
import type { JSX } from 'preact'
import { fromHex } from '@p2p/serializer'
import { annotateFrame } from '../../src/view/describe-frame.ts'
import type { Source } from './source.ts'
import type { LogRow, World } from './world.ts'

const shownRows = 12
const maxShownHex = 400

export function MessageLog({ source: { world } }: { readonly source: Source }): JSX.Element {
  const [open, setOpen] = useState<LogRow>()
  const [filter, setFilter] = useState('')
  const rows = world.log.filter(({ event }) => event.label.includes(filter)).slice(-shownRows)
  return (
    <section class="log" aria-labelledby="log-title">
      <h2 id="log-title">Messages on the links</h2>
      <label>
        <input
          type="checkbox"
          checked={world.isLogHeld}
          onChange={({ currentTarget }) => {
            world.isLogHeld = currentTarget.checked
            world.changed()
          }}
        />{' '}
        hold
      </label>{' '}
      <label>
        only{' '}
        <input value={filter} onInput={({ currentTarget }) => setFilter(currentTarget.value)} />
      </label>
      <ol data-testid="log">
        {rows.map((row) => (
          <li key={row.number}>
            <button disabled={row.event.hex === undefined} onClick={() => setOpen(row)}>
              {describe(row, world)}
            </button>
          </li>
        ))}
      </ol>
      {open !== undefined && <Bytes row={open} world={world} />}
    </section>
  )
}

function describe({ event }: LogRow, world: World): string {
  const { from, to, label, byteCount } = event
  return `${world.nameOf(from)} → ${world.nameOf(to)}  ${label}, ${byteCount} bytes`
}

function Bytes({ row, world }: { readonly row: LogRow; readonly world: World }): JSX.Element {
  const parts = annotateFrame(fromHex(row.event.hex ?? ''))
  return (
    <div data-testid="bytes" class="bytes" role="region" aria-label="Bytes of the message">
      <h3>{describe(row, world)}</h3>
      <dl>
        {parts.map(({ hex, meaning }) => (
          <div key={meaning}>
            <dt>{meaning}</dt>
            <dd>
              <code>{hex.length > maxShownHex ? `${hex.slice(0, maxShownHex)}…` : hex}</code>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
