/** The dictionary: what every node holds, who may change it, and for how long. */
import { useState } from 'preact/hooks'
import type { JSX } from 'preact'
import { textOf } from './controls.tsx'
import type { DictionaryRow, Source } from './source.ts'

type Dictionary = NonNullable<Source['dictionary']>

export function DictionaryGrid(props: {
  readonly source: Source
  readonly dictionary: Dictionary
}): JSX.Element {
  const { source, dictionary } = props
  const [key, setKey] = useState('')
  const [value, setValue] = useState('')
  const [refusal, setRefusal] = useState('')
  const attempt = (what: string, run: () => void): void => {
    try {
      run()
      setRefusal('')
    } catch (error) {
      setRefusal(`${what} was refused: ${textOf(error)}`)
    }
  }
  const nodes = source.world.ofNetwork('sync').length
  return (
    <section class="dictionary" aria-labelledby="dictionary-title">
      <h2 id="dictionary-title">Dictionary</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          attempt(`Setting ${key}`, () => dictionary.set(key, value))
        }}
      >
        <input
          data-testid="key"
          aria-label="key"
          placeholder="key"
          required
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
        <input
          data-testid="value"
          aria-label="value"
          placeholder="value"
          value={value}
          onInput={({ currentTarget }) => setValue(currentTarget.value)}
        />
        <button>Set</button>
      </form>
      <p role="alert" class="problem" data-testid="refusal">
        {refusal}
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Keys of the dictionary">
        <table>
          <thead>
            <tr>
              <th>key</th>
              <th>value</th>
              <th>owner</th>
              <th>lease</th>
              <th>held by</th>
              <th />
            </tr>
          </thead>
          <tbody data-testid="dictionary">
            {dictionary.rows().map((row) => (
              <Row
                key={row.key}
                {...{ row, source, nodes }}
                onEdit={() => {
                  setKey(row.key)
                  setValue(row.value.replace(/^"|"$/g, ''))
                }}
                onRemove={() => attempt(`Deleting ${row.key}`, () => dictionary.remove(row.key))}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Row(props: {
  readonly row: DictionaryRow
  readonly source: Source
  readonly nodes: number
  readonly onEdit: () => void
  readonly onRemove: () => void
}): JSX.Element {
  const { row, source, nodes, onEdit, onRemove } = props
  const { world, ownIds } = source
  const holders = world.held.get(row.key) ?? new Map<string, string>()
  const equal = [...holders].filter(([id, value]) => world.nodes.has(id) && value === row.value)
  return (
    <tr data-key={row.key} data-value={row.value} data-held={equal.length}>
      <td>{row.key}</td>
      <td>{row.value}</td>
      <td>{ownIds.has(row.owner) ? 'you' : world.nameOf(row.owner)}</td>
      <td>{row.leaseSeconds === undefined ? 'free' : clock(row.leaseSeconds)}</td>
      <td title={equal.map(([id]) => world.nameOf(id)).join(', ')}>
        {equal.length} of {nodes}
      </td>
      <td>
        <button onClick={onEdit} aria-label={`edit ${row.key}`}>
          edit
        </button>
        <button onClick={onRemove} aria-label={`delete ${row.key}`}>
          ×
        </button>
      </td>
    </tr>
  )
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
