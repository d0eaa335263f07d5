/** The page: one of two sources, and the views on it. */
import { useEffect, useReducer, useRef, useState } from 'preact/hooks'
import type { JSX } from 'preact'
import { Chat } from './chat.tsx'
import { Controls, textOf } from './controls.tsx'
import { DictionaryGrid } from './dictionary.tsx'
import { openLiveSource } from './live-source.ts'
import { MessageLog } from './message-log.tsx'
import { Plots } from './plots.tsx'
import { Ring } from './ring.tsx'
import { SimulatedSource } from './simulated-source.ts'
import type { SimulationOptions } from './simulated-source.ts'
import type { Source } from './source.ts'
import { Topology } from './topology.tsx'

type Wanted =
  { readonly kind: 'live' } | { readonly kind: 'simulation'; readonly options: SimulationOptions }

const firstSimulation: SimulationOptions = {
  network: 'mesh',
  nodeCount: 40,
  seed: 1,
  withFaults: false,
}

export function App(): JSX.Element {
  const [wanted, setWanted] = useState<Wanted>({ kind: 'live' })
  const [source, problem] = useSource(wanted)
  const [selected, setSelected] = useState<string>()
  useEffect(() => setSelected(undefined), [source])
  return (
    <>
      <header>
        <h1>A network without a server</h1>
        <SourceChoice wanted={wanted} onChoice={setWanted} />
        <p role="status" data-testid="status">
          {problem ?? source?.status ?? 'connecting …'} · <FrameRate />
        </p>
      </header>
      {source !== undefined && (
        <main>
          <Topology {...{ source, selected, onSelect: setSelected }} />
          <Controls {...{ source, selected, onSelect: setSelected }} />
          <Chat source={source} />
          {source.dictionary && <DictionaryGrid source={source} dictionary={source.dictionary} />}
          {source.table && <Ring source={source} table={source.table} />}
          <MessageLog source={source} />
          <Plots source={source} />
        </main>
      )}
    </>
  )
}

/** Opens what is wanted, closes what was, and draws anew whenever its world has changed. */
function useSource(wanted: Wanted): readonly [Source | undefined, string | undefined] {
  const [source, setSource] = useState<Source>()
  const [problem, setProblem] = useState<string>()
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  useEffect(() => {
    let isWanted = true
    let end: () => void = () => undefined
    const adopt = (opened: Source): void => {
      if (!isWanted) return void opened.close()
      const stop = opened.world.onChange(() => redraw(undefined))
      end = () => {
        stop()
        void opened.close()
      }
      setSource(() => opened)
    }
    setSource(undefined)
    setProblem(undefined)
    const opening =
      wanted.kind === 'live'
        ? openLiveSource()
        : Promise.resolve(new SimulatedSource(wanted.options))
    opening.then(adopt).catch((error: unknown) => setProblem(textOf(error)))
    return () => {
      isWanted = false
      end()
    }
  }, [wanted])
  return [source, problem]
}

function SourceChoice(props: {
  readonly wanted: Wanted
  readonly onChoice: (wanted: Wanted) => void
}): JSX.Element {
  const { wanted, onChoice } = props
  const [options, setOptions] = useState(firstSimulation)
  const change = (part: Partial<SimulationOptions>): void => setOptions({ ...options, ...part })
  const simulate = (event: Event): void => {
    event.preventDefault()
    onChoice({ kind: 'simulation', options: { ...options } })
  }
  return (
    <form class="sources" onSubmit={simulate} aria-label="Which network to show">
      <button
        type="button"
        aria-pressed={wanted.kind === 'live'}
        onClick={() => wanted.kind === 'live' || onChoice({ kind: 'live' })}
      >
        Live
      </button>
      <button aria-pressed={wanted.kind === 'simulation'} data-testid="simulate">
        Simulate in this tab
      </button>
      <select
        aria-label="kind of the simulated network"
        data-testid="sim-network"
        value={options.network}
        onChange={({ currentTarget }) =>
          change({ network: currentTarget.value as SimulationOptions['network'] })
        }
      >
        <option>mesh</option>
        <option>sync</option>
        <option>chord</option>
      </select>
      <label>
        nodes{' '}
        <input
          type="number"
          data-testid="sim-nodes"
          min={2}
          max={2_000}
          value={options.nodeCount}
          onInput={({ currentTarget }) => change({ nodeCount: Number(currentTarget.value) })}
        />
      </label>
      <label>
        seed{' '}
        <input
          type="number"
          value={options.seed}
          onInput={({ currentTarget }) => change({ seed: Number(currentTarget.value) })}
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={options.withFaults}
          onChange={({ currentTarget }) => change({ withFaults: currentTarget.checked })}
        />{' '}
        with faults
      </label>
    </form>
  )
}

/** Frames in the last second. */
function FrameRate(): JSX.Element {
  const [rate, setRate] = useState(0)
  const frames = useRef(0)
  useEffect(() => {
    let request = requestAnimationFrame(function count() {
      frames.current += 1
      request = requestAnimationFrame(count)
    })
    let lastMs = performance.now()
    const timer = setInterval(() => {
      const nowMs = performance.now()
      setRate((1_000 * frames.current) / (nowMs - lastMs))
      frames.current = 0
      lastMs = nowMs
    }, 1_000)
    return () => {
      cancelAnimationFrame(request)
      clearInterval(timer)
    }
  }, [])
  return (
    <span data-testid="rate" data-rate={rate.toFixed(1)}>
      {Math.round(rate)} frames/s
    </span>
  )
}
