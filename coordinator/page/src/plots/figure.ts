import * as Plot from '@observablehq/plot';
import { element } from '../element.js';

export interface FigureParts {
  readonly title: string;
  /** What a reader who does not see the plot is told instead. */
  readonly summary: string;
  /** Under the plot, for all readers. */
  readonly note?: string;
  readonly height: number;
  /** Marks, axes and scales for the width at hand. */
  readonly draw: (width: number) => Plot.PlotOptions;
}

/** Below this width a plot says nothing. */
const LEAST_WIDTH = 240;

/** A plot that takes the width it is given and is drawn again when that changes. */
export function figure(parts: FigureParts): HTMLElement {
  const { title, summary, note, height, draw } = parts;
  const canvas = element('div', { class: 'plot' });
  const caption = element('figcaption', {}, element('strong', {}, title));
  if (note !== undefined) caption.append(' ', element('span', { class: 'note' }, note));
  let drawn = 0;
  const redraw = (available: number): void => {
    const width = Math.max(LEAST_WIDTH, Math.floor(available));
    if (width === drawn || available === 0) return;
    drawn = width;
    const style = { background: 'transparent', fontSize: '12px', fontFamily: 'inherit', overflow: 'visible' };
    const plot = Plot.plot({ width, height, ...draw(width), style, ariaLabel: title, ariaDescription: summary });
    plot.setAttribute('role', 'img');
    canvas.replaceChildren(plot);
  };
  new ResizeObserver(([entry]) => redraw(entry?.contentRect.width ?? 0)).observe(canvas);
  return element('figure', {}, caption, canvas);
}

/** Colours of the style sheet, which knows light from dark. */
export const COLOURS = {
  up: 'var(--up)',
  down: 'var(--down)',
  neutral: 'var(--neutral)',
  ink: 'var(--ink)',
  guide: 'var(--guide)',
  bar: 'var(--bar)',
} as const;
