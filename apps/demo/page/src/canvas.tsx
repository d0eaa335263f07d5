/** A canvas that is as sharp as its screen and is drawn once per frame while it can be seen. */
import { useEffect, useRef } from 'preact/hooks'
import type { JSX } from 'preact'
import { readPalette } from './palette.ts'
import type { Palette } from './palette.ts'

export interface Frame {
  readonly context: CanvasRenderingContext2D
  /** In CSS pixels. */
  readonly width: number
  readonly height: number
  readonly palette: Palette
  readonly nowMs: number
}

export interface CanvasProps {
  /** The text alternative. */
  readonly label: string
  readonly draw: (frame: Frame) => void
  readonly onPick?: (x: number, y: number) => void
  readonly className?: string
}

export function Canvas({ label, draw, onPick, className = '' }: CanvasProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null)
  const latest = useRef(draw)
  latest.current = draw
  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d')
    if (element === null || !context) return undefined
    let palette = readPalette()
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const onScheme = (): void => {
      palette = readPalette()
    }
    scheme.addEventListener('change', onScheme)
    let isVisible = true
    const watcher = new IntersectionObserver(([entry]) => {
      isVisible = entry?.isIntersecting ?? true
    })
    watcher.observe(element)
    let request = requestAnimationFrame(function paint(nowMs) {
      request = requestAnimationFrame(paint)
      if (!isVisible) return
      const { clientWidth: width, clientHeight: height } = element
      const ratio = Math.min(2, devicePixelRatio)
      if (element.width !== Math.round(width * ratio)) element.width = Math.round(width * ratio)
      if (element.height !== Math.round(height * ratio)) element.height = Math.round(height * ratio)
      context.setTransform(ratio, 0, 0, ratio, 0, 0)
      context.clearRect(0, 0, width, height)
      latest.current({ context, width, height, palette, nowMs })
    })
    return () => {
      cancelAnimationFrame(request)
      scheme.removeEventListener('change', onScheme)
      watcher.disconnect()
    }
  }, [])
  const pick = ({ offsetX, offsetY }: MouseEvent): void => onPick?.(offsetX, offsetY)
  return <canvas ref={canvas} class={className} role="img" aria-label={label} onClick={pick} />
}
