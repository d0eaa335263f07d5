/** Figures for people: one row per case and metric, one column per subject, ours as a ratio to each. */
import type { Figure } from './figure.ts'

export function formatTable(figures: readonly Figure[]): string {
  const rows = new Map<string, Figure[]>()
  for (const figure of figures) {
    const key = `${figure.suite} ${figure.case} ${figure.metric}`
    rows.set(key, [...(rows.get(key) ?? []), figure])
  }
  return [...rows].map(([key, row]) => formatRow(key, row)).join('\n')
}

function formatRow(key: string, row: readonly Figure[]): string {
  const mine = row.find(({ subject }) => subject === 'p2p')
  const cells = row.map(({ subject, value, unit }) => {
    const ratio = mine === undefined || subject === 'p2p' ? '' : ` (${round(mine.value / value)}×)`
    return `${subject} ${Math.round(value).toLocaleString('en')} ${unit}${ratio}`
  })
  return `${key}: ${cells.join(' · ')}`
}

function round(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)
}
