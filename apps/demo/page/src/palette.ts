/** Colours of the drawings, read from the style sheet, which has them for dark and light. */
import type { Language } from '../../src/view/world-event.ts'

export interface Palette {
  readonly text: string
  readonly faint: string
  readonly line: string
  readonly pulse: string
  readonly cut: string
  readonly selected: string
  readonly languages: Readonly<Record<Language, string>>
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    text: colour('text'),
    faint: colour('faint'),
    line: colour('line'),
    pulse: colour('pulse'),
    cut: colour('cut'),
    selected: colour('selected'),
    languages: {
      TypeScript: colour('typescript'),
      JavaScript: colour('javascript'),
      Python: colour('python'),
      browser: colour('browser'),
    },
  }
}

export function prefersStillness(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches
}
