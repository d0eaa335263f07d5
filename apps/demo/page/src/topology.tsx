/** The picture of who is linked to whom, and the same as a list. */
import { useMemo } from 'preact/hooks'
import type { JSX } from 'preact'
import { networkNames } from '../../src/view/world-event.ts'
import { Canvas } from './canvas.tsx'
import type { Source } from './source.ts'
import { TopologyDrawing } from './topology-drawing.ts'

export interface TopologyProps {
  readonly source: Source
  readonly selected: string | undefined
  readonly onSelect: (id: string) => void
}

const maxListed = 200

export function Topology({ source, selected, onSelect }: TopologyProps): JSX.Element {
  const { world } = source
  const drawing = useMemo(() => new TopologyDrawing(world), [world])
  const counts = networkNames
    .map((name) => ({ name, ...world.health(name) }))
    .filter(({ nodes }) => nodes > 0)
  const label = `Topology: ${counts.map(({ name, nodes, pieces }) => `${nodes} ${name} nodes in ${pieces} piece${pieces === 1 ? '' : 's'}`).join(', ')}`
  const pick = (x: number, y: number): void => {
    const id = drawing.nodeAt(x, y)
    if (id !== undefined) onSelect(id)
  }
  return (
    <section class="topology" aria-labelledby="topology-title">
      <h2 id="topology-title">Who is linked to whom</h2>
      <Canvas label={label} draw={(frame) => drawing.draw(frame, selected)} onPick={pick} />
      <ul class="legend" aria-hidden="true">
        <li class="typescript">TypeScript (a square bridges TCP and WebSocket)</li>
        <li class="javascript">js2p</li>
        <li class="python">py2p</li>
        <li class="browser">a tab</li>
      </ul>
      <ul class="health" data-testid="health">
        {counts.map(({ name, nodes, pieces, repairedInMs }) => (
          <li key={name} data-network={name} data-nodes={nodes} data-pieces={pieces}>
            <b>{name}</b> {nodes} nodes, {pieces === 1 ? 'all joined' : `in ${pieces} pieces`}
            {repairedInMs === undefined
              ? ''
              : `; whole ${(repairedInMs / 1_000).toFixed(1)} s after the last loss`}
          </li>
        ))}
      </ul>
      <NodeList source={source} />
    </section>
  )
}

function NodeList({ source: { world, ownIds } }: { readonly source: Source }): JSX.Element {
  const nodes = [...world.nodes.values()].slice(0, maxListed)
  return (
    <details>
      <summary>The picture as a list</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Nodes and their neighbours">
        <table>
          <thead>
            <tr>
              <th>node</th>
              <th>written in</th>
              <th>state</th>
              <th>neighbours</th>
            </tr>
          </thead>
          <tbody data-testid="nodes">
            {nodes.map(({ id, name, language, state, network, isBridge }) => (
              <tr
                key={id}
                data-id={id}
                data-network={network}
                data-language={language}
                data-bridge={isBridge}
              >
                <td>{ownIds.has(id) ? `${name} (this tab)` : name}</td>
                <td>{language}</td>
                <td>{state}</td>
                <td>
                  {world
                    .neighboursOf(id)
                    .map((peer) => world.nameOf(peer))
                    .join(', ')}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {world.nodes.size > nodes.length && <p>… and {world.nodes.size - nodes.length} more</p>}
      </div>
    </details>
  )
}
