import * as Plot from '@observablehq/plot';
import type { Calibration } from '../../../src/web/result-shapes.js';
import { COLOURS, figure } from './figure.js';
import { significanceReach } from '../../../src/web/significance-reach.js';

const HEIGHT = 260;
const MARGINS = { marginTop: 24, marginRight: 16, marginBottom: 42, marginLeft: 60 } as const;

/** Counts of p-values; the line is where all bars would end if no gene responded. */
export function pvalueHistogram({ histogram, tested }: Calibration): HTMLElement {
  const width = 1 / histogram.length;
  const bars = histogram.map((count, bin) => ({ from: bin * width, to: (bin + 1) * width, count }));
  return figure({
    title: 'p-values',
    summary: `Histogram of ${tested} p-values; the first of ${histogram.length} bins has ${histogram[0] ?? 0}.`,
    note: 'line: none responds',
    height: HEIGHT,
    draw: () => ({
      ...MARGINS,
      x: { domain: [0, 1], label: 'p', labelAnchor: 'center' },
      y: { label: 'p-values', grid: true, nice: true, tickFormat: (count: number) => count.toLocaleString('en') },
      marks: [
        Plot.rectY(bars, { x1: 'from', x2: 'to', y: 'count', fill: COLOURS.bar, insetLeft: 0.5, insetRight: 0.5 }),
        Plot.ruleY([tested * width], { stroke: COLOURS.ink, strokeDasharray: '4 3' }),
        Plot.ruleY([0], { stroke: COLOURS.guide }),
      ],
    }),
  });
}

/** Observed against expected −log10 p. */
export function quantilePlot({ quantiles, inflation }: Calibration): HTMLElement {
  const expected = quantiles.reduce((most, [next]) => Math.max(most, next), 1);
  const observed = significanceReach(quantiles.map(([, value]) => value));
  const beyond = quantiles.filter(([, value]) => value > observed).length;
  const lambda = inflation === null ? [] : [`λ = ${inflation.toFixed(2)} at the median`];
  const cut = beyond === 0 ? [] : [`${beyond} beyond the axis, drawn at its end`];
  return figure({
    title: 'QQ',
    summary: `Observed against expected p-values; the median is inflated by ${inflation ?? 'an unknown factor'}.`,
    note: [...lambda, 'line: none responds', ...cut].join('; '),
    height: HEIGHT,
    draw: () => ({
      ...MARGINS,
      x: { domain: [0, 1.03 * expected], label: 'expected −log10 p', labelAnchor: 'center' },
      y: { domain: [0, 1.05 * observed], label: 'observed −log10 p', grid: true },
      marks: [
        Plot.line(
          [
            [0, 0],
            [Math.min(expected, observed), Math.min(expected, observed)],
          ],
          { stroke: COLOURS.ink, strokeDasharray: '4 3' },
        ),
        Plot.dot(quantiles, {
          x: '0',
          y: ([, value]: readonly [number, number]) => Math.min(observed, value),
          r: 2.2,
          fill: COLOURS.bar,
        }),
      ],
    }),
  });
}
