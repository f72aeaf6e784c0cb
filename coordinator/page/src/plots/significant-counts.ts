import * as Plot from '@observablehq/plot';
import type { PerturbationCounts } from '../../../src/web/result-shapes.js';
import { COLOURS, figure } from './figure.js';

const SHOWN = 30;
const ROW = 18;

/** Significant genes of the perturbations that have most: up to the right, down to the left. */
export function significantCounts(counts: readonly PerturbationCounts[]): HTMLElement {
  const shown = counts.slice(0, SHOWN);
  const names = shown.map(({ perturbation }) => perturbation);
  const marginLeft = Math.min(160, 20 + 7 * Math.max(4, ...names.map((name) => name.length)));
  return figure({
    title: 'Significant genes',
    summary: shown.map(({ perturbation, up, down }) => `${perturbation}: ${up} up, ${down} down`).join('; '),
    note: counts.length > SHOWN ? `the ${SHOWN} perturbations with most` : 'down to the left, up to the right',
    height: 60 + ROW * shown.length,
    draw: () => ({
      marginLeft,
      marginRight: 16,
      marginTop: 12,
      marginBottom: 42,
      x: {
        label: '← down   genes   up →',
        labelAnchor: 'center',
        tickFormat: (n: number) => String(Math.abs(n)),
        grid: true,
      },
      y: { domain: names, label: null, tickSize: 0, tickFormat: (name: string) => shorten(name) },
      marks: [
        Plot.barX(shown, { x: 'up', y: 'perturbation', fill: COLOURS.up }),
        Plot.barX(shown, { x: ({ down }: PerturbationCounts) => -down, y: 'perturbation', fill: COLOURS.down }),
        Plot.ruleX([0], { stroke: COLOURS.ink }),
      ],
    }),
  });
}

const shorten = (name: string): string => (name.length > 20 ? `${name.slice(0, 19)}…` : name);
