/** What the page of browser.ts runs: our serializer on every case. The result is the text of the page. */
import { measure } from '../measure.ts'
import { cases } from './cases.ts'
import { ours } from './our-contender.ts'

declare const document: { readonly body: { textContent: string } }

/** A browser's clock goes in steps of up to a tenth of a millisecond, so rounds are longer than in Node. */
const options = { quietRounds: 20, maxRounds: 100, roundMs: 10 }

const figures = cases.flatMap(({ name, fields }) => {
  const frame = ours.encode(fields).slice()
  const subjects = [
    { name: 'encode', run: () => ours.encode(fields) },
    { name: 'decode', run: () => ours.decode(frame) },
  ]
  return [...measure(subjects, options)].map(([metric, value]) => ({ case: name, metric, value }))
})
document.body.textContent = JSON.stringify(figures)
