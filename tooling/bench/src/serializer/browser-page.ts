/** What the page of browser.ts runs: our serializer on every case. The result is the text of the page. */
import { cases } from './cases.ts'
import { ours } from './our-contender.ts'

declare const document: { readonly body: { textContent: string } }

/** A browser's clock goes in coarse steps, so each operation gets one long round. */
const roundMs = 400

/** Operations per second over one long round, after a shorter one for the compiler. */
function speed(run: () => unknown): number {
  let count = 0
  let ms = 0
  for (const limit of [roundMs / 4, roundMs]) {
    const start = performance.now()
    for (count = 0, ms = 0; ms < limit; ms = performance.now() - start) {
      for (let i = 0; i < 20; i++, count++) run()
    }
  }
  return (count * 1000) / ms
}

const figures = cases.flatMap(({ name, fields }) => {
  const frame = ours.encode(fields).slice()
  return [
    { case: name, metric: 'encode', value: speed(() => ours.encode(fields)) },
    { case: name, metric: 'decode', value: speed(() => ours.decode(frame)) },
  ]
})
document.body.textContent = JSON.stringify(figures)
