/**
 * What the foreign programs are known to get wrong with each other. Such rows stay in the report as
 * failures, but do not fail the run; rows with one of our nodes are never excused.
 */
import type { Row } from './report.ts'

export function knownFailure(row: Row): string | undefined {
  const pair = [row.a, row.b]
  if (pair.includes('p2p')) return undefined
  const replier = row.feature === 'reply to a to b' ? row.b : row.a
  const asker = row.feature === 'reply to a to b' ? row.a : row.b
  if (row.feature.startsWith('reply to') && replier === 'js2p' && asker === 'py2p')
    return 'js2p looks peers up by object identity, and py2p sends its id as bin'
  if (row.feature.startsWith('peers learned') && pair.includes('js2p'))
    return 'js2p keeps a second entry for a peer whose id is bin, and sends to both'
  if (row.feature.startsWith('burst') && pair.includes('py2p'))
    return 'py2p drops a link when exactly four bytes wait behind a frame'
  if (row.feature.endsWith('both dial at once') && pair.includes('py2p'))
    return 'py2p keeps the link it has just closed when two links have one id'
  if (row.feature.startsWith('lease respected') && pair.includes('js2p') && pair.includes('py2p'))
    return 'py2p drops the link when owners of different type write in one second'
  if (row.network === 'chord' && pair.includes('py2p'))
    return 'py2p drops an answer that comes before it has noted its question; links may end around join'
  return undefined
}
