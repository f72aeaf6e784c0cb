import * as Plot from '@observablehq/plot';
import type { Throughput } from '../../../src/web/live-shapes.js';
import { formatCount } from '../numbers.js';
import { COLOURS, figure } from './figure.js';

/** Work that tasks finished over the time of the job. */
export function throughputPlot({ binMs, bins, total }: Throughput): HTMLElement {
  const begin = bins[0]?.fromMs ?? 0;
  const seconds = binMs / 1000;
  const bars = bins.map(({ fromMs, nonzeros }) => ({
    from: (fromMs - begin) / 1000,
    to: (fromMs - begin) / 1000 + seconds,
    rate: nonzeros / seconds,
  }));
  const most = Math.max(0, ...bars.map(({ rate }) => rate));
  return figure({
    title: 'Throughput',
    summary: `${formatCount(total.tasks)} tasks with ${formatCount(total.nonzeros)} nonzeros finished; at most ${formatCount(Math.round(most))} nonzeros a second.`,
    note: 'nonzeros of finished tasks a second',
    height: 150,
    draw: () => ({
      marginLeft: 60,
      marginTop: 12,
      marginBottom: 36,
      x: { domain: [0, bins.length * seconds], label: 'seconds since the job began', labelAnchor: 'center' },
      y: { domain: [0, Math.max(1, most)], label: null, grid: true, ticks: 4, tickFormat: 's' },
      marks: [
        Plot.rectY(bars, { x1: 'from', x2: 'to', y: 'rate', fill: COLOURS.bar, inset: 0.5 }),
        Plot.ruleY([0], { stroke: COLOURS.guide }),
      ],
    }),
  });
}
