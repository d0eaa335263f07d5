/** Add, kill, pause, cut and heal. */
import { useState } from 'preact/hooks'
import type { JSX } from 'preact'
import { networkNames } from '../../src/view/world-event.ts'
import type { ControlCommand, NetworkName } from '../../src/view/world-event.ts'
import type { Source } from './source.ts'

export interface ControlsProps {
  readonly source: Source
  readonly selected: string | undefined
  readonly onSelect: (id: string) => void
}

export function Controls({ source, selected, onSelect }: ControlsProps): JSX.Element {
  const { world } = source
  const [network, setNetwork] = useState<NetworkName>('mesh')
  const [count, setCount] = useState(1)
  const [problem, setProblem] = useState('')
  const order = (command: ControlCommand): void => {
    setProblem('')
    source.command(command).catch((error: unknown) => setProblem(textOf(error)))
  }
  const nodes = [...world.nodes.values()]
  const node = nodes.find(({ id }) => id === selected)
  const neighbours = node === undefined ? [] : world.neighboursOf(node.id)
  const networks = networkNames.filter((name) => world.health(name).nodes > 0)
  const addTo = networks.includes(network) ? network : (networks[0] ?? 'mesh')
  const isNodeOf = (name: string): boolean => node !== undefined && node.state === name
  return (
    <section class="controls" aria-labelledby="controls-title">
      <h2 id="controls-title">Do something to it</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          order({ op: 'add', network: addTo, count })
        }}
      >
        <label>
          Add{' '}
          <input
            type="number"
            min={1}
            max={100}
            value={count}
            aria-label="how many"
            onInput={({ currentTarget }) => setCount(Number(currentTarget.value))}
          />
        </label>
        <select
          aria-label="network of the new nodes"
          value={addTo}
          onChange={({ currentTarget }) => setNetwork(currentTarget.value as NetworkName)}
        >
          {networks.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <button>Add nodes</button>
      </form>
      <label class="wide">
        Node{' '}
        <select
          data-testid="node"
          value={selected ?? ''}
          onChange={({ currentTarget }) => onSelect(currentTarget.value)}
        >
          <option value="">choose one, here or in the picture</option>
          {nodes.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <div class="buttons">
        <button
          disabled={node === undefined}
          onClick={() => node && order({ op: 'kill', id: node.id })}
        >
          Kill
        </button>
        <button
          disabled={!isNodeOf('running') || node?.isOurs !== true}
          onClick={() => node && order({ op: 'pause', id: node.id })}
        >
          Pause
        </button>
        <button
          disabled={!isNodeOf('paused')}
          onClick={() => node && order({ op: 'resume', id: node.id })}
        >
          Go on
        </button>
        <button
          disabled={node?.isOurs !== true}
          onClick={() => node && order({ op: 'cut', a: node.id })}
        >
          Cut off
        </button>
        <button onClick={() => order({ op: 'heal' })}>Heal all</button>
      </div>
      {node?.isOurs === true && neighbours.length > 0 && (
        <div class="buttons" role="group" aria-label="Cut one link">
          {neighbours.slice(0, 12).map((peer) => (
            <button key={peer} onClick={() => order({ op: 'cut', a: node.id, b: peer })}>
              ✂ {world.nameOf(peer)}
            </button>
          ))}
        </div>
      )}
      <p role="alert" class="problem">
        {problem}
      </p>
      <ol class="notes" aria-label="What happened" aria-live="polite" data-testid="notes">
        {world.notes.slice(-5).map((note, index) => (
          <li key={`${index} ${note}`}>{note}</li>
        ))}
      </ol>
    </section>
  )
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
