import * as Plot from '@observablehq/plot';
import { formatNumber, formatPvalue } from '../numbers.js';
import { COLOURS, figure } from './figure.js';
import { foldChangeReach, genePoints, type GenePoint } from './gene-points.js';
import { labelGenes } from './label-genes.js';
import { significanceReach } from '../../../src/web/significance-reach.js';
import type { GeneColumns } from '../../../src/web/result-shapes.js';

const HEIGHT = 380;
const MARGINS = { marginTop: 24, marginRight: 16, marginBottom: 42, marginLeft: 52 } as const;

/** Names that fit without crowding: fewer on a narrow screen. */
const labelsFor = (width: number): number => (width < 420 ? 10 : 18);

interface Axes {
  readonly x: (point: GenePoint) => number;
  readonly y: (point: GenePoint) => number;
  readonly xDomain: readonly [number, number];
  readonly yDomain: readonly [number, number];
  readonly xLog: boolean;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly guides: readonly Plot.Markish[];
}

function scatter(points: readonly GenePoint[], axes: Axes, width: number): Plot.PlotOptions {
  const { x, y, xDomain, yDomain, xLog } = axes;
  const scaleOf = (from: readonly [number, number], to: readonly [number, number], isLog: boolean) => {
    const at = isLog ? Math.log : (value: number) => value;
    return (value: number) => to[0] + ((at(value) - at(from[0])) / (at(from[1]) - at(from[0]))) * (to[1] - to[0]);
  };
  const xRange = [MARGINS.marginLeft, width - MARGINS.marginRight] as const;
  const yRange = [HEIGHT - MARGINS.marginBottom, MARGINS.marginTop] as const;
  const [xScale, yScale] = [scaleOf(xDomain, xRange, xLog), scaleOf(yDomain, yRange, false)];
  const place = (point: GenePoint): readonly [number, number] => [xScale(x(point)), yScale(y(point))];
  const frame = { left: xRange[0], right: xRange[1], top: yRange[1], bottom: yRange[0] };
  const named = points.filter(({ call }) => call !== 'neutral');
  const labels = labelGenes(named, place, frame, labelsFor(width));
  // Weak points first, so that the strong ones lie on top.
  const drawn = [...points].reverse();
  const names = labels.map(({ point, anchor, dx, dy }) =>
    Plot.text([point], { x, y, textAnchor: anchor, dx, dy, ...NAME }),
  );
  return {
    ...MARGINS,
    x: { domain: xDomain, label: axes.xLabel, labelAnchor: 'center', ...(xLog ? LOGARITHMIC : TICKS(width)) },
    y: { domain: yDomain, label: axes.yLabel, grid: true, nice: false },
    marks: [
      ...axes.guides,
      Plot.dot(drawn, {
        x,
        y,
        r: (point: GenePoint) => (point.call === 'neutral' ? 2 : 2.8),
        fill: (point: GenePoint) => COLOURS[point.call],
        fillOpacity: 0.75,
      }),
      ...names,
      Plot.tip(drawn, Plot.pointer({ x, y, title: describe, ...TIP })),
    ],
    r: { type: 'identity' },
    color: { type: 'identity' },
  };
}

const NAME = {
  fontSize: 11,
  fill: COLOURS.ink,
  stroke: 'var(--paper)',
  strokeWidth: 3,
  text: (point: GenePoint) => point.gene,
};
const TIP = { fill: 'var(--paper)', stroke: 'var(--guide)', fontSize: 12, lineHeight: 1.3 } as const;
/** Only powers of ten are named: there are few decades, and the ticks between them show the scale. */
const LOGARITHMIC = {
  type: 'log',
  tickFormat: (value: number) => (Number.isInteger(Math.log10(value)) ? value.toLocaleString('en', DIGITS) : ''),
} as const;
const DIGITS = { maximumSignificantDigits: 3 };
const TICKS = (width: number) => ({ ticks: width < 420 ? 5 : 8 });

function describe(point: GenePoint): string {
  return [
    point.gene,
    `log2 fold change ${formatNumber(point.log2FoldChange)}`,
    `p ${formatPvalue(point.pvalue, point.log10Pvalue)}, adjusted ${formatNumber(point.pvalueAdjusted)}`,
    ...(point.meanExpression === null ? [] : [`mean expression ${formatNumber(point.meanExpression)}`]),
  ].join('\n');
}

/** Genes beyond the axis are drawn at its end. */
const within =
  (reach: number) =>
  ({ log2FoldChange }: GenePoint): number =>
    Math.max(-reach, Math.min(reach, log2FoldChange));

function noteOf(shown: number, all: number, beyond: number): string | undefined {
  const parts = [
    ...(shown < all ? [`${shown.toLocaleString('en')} of ${all.toLocaleString('en')} tested genes drawn`] : []),
    ...(beyond > 0 ? [`${beyond} beyond the axis, drawn at its end`] : []),
  ];
  return parts.length === 0 ? undefined : parts.join('; ');
}

function summaryOf(points: readonly GenePoint[]): string {
  const count = (call: GenePoint['call']): number => points.filter((point) => point.call === call).length;
  const strongest = points.slice(0, 5).map(({ gene }) => gene);
  return `${count('up')} genes significantly up, ${count('down')} down; smallest p-values: ${strongest.join(', ')}.`;
}

/** Fold change against significance. */
export function volcano(genes: GeneColumns, testedGenes: number, alpha: number): HTMLElement {
  const points = genePoints(genes, alpha);
  const reach = foldChangeReach(points);
  const most = significanceReach(points.map(({ significance }) => significance));
  // The weakest significant gene: adjustment is monotone, so the line parts the significant from the others.
  const threshold = points.filter(({ call }) => call !== 'neutral').at(-1)?.significance;
  const beyond = points.filter(
    ({ log2FoldChange, significance }) => Math.abs(log2FoldChange) > reach || significance > most,
  ).length;
  const note = noteOf(points.length, testedGenes, beyond);
  return figure({
    title: 'Volcano',
    summary: summaryOf(points),
    ...(note === undefined ? {} : { note }),
    height: HEIGHT,
    draw: (width) =>
      scatter(
        points,
        {
          x: within(reach),
          y: ({ significance }) => Math.min(most, significance),
          xDomain: [-reach, reach],
          yDomain: [0, 1.05 * most],
          xLog: false,
          xLabel: 'log2 fold change',
          yLabel: '−log10 p',
          guides: [
            Plot.ruleX([0], { stroke: COLOURS.guide }),
            ...(threshold === undefined
              ? []
              : [Plot.ruleY([threshold], { stroke: COLOURS.guide, strokeDasharray: '4 3' })]),
          ],
        },
        width,
      ),
  });
}

/** Mean expression against fold change; null where the file has no mean of the control. */
export function meanDifference(genes: GeneColumns, testedGenes: number, alpha: number): HTMLElement | null {
  const expressed = genePoints(genes, alpha).filter(({ meanExpression }) => (meanExpression ?? 0) > 0);
  if (expressed.length === 0) return null;
  const reach = foldChangeReach(expressed);
  const means = expressed.map(({ meanExpression }) => meanExpression as number);
  const [least, most] = means.reduce(
    ([low, high], mean) => [Math.min(low, mean), Math.max(high, mean)],
    [Number.POSITIVE_INFINITY, 0],
  );
  const beyond = expressed.filter(({ log2FoldChange }) => Math.abs(log2FoldChange) > reach).length;
  const note = noteOf(expressed.length, testedGenes, beyond);
  return figure({
    title: 'MA',
    summary: summaryOf(expressed),
    ...(note === undefined ? {} : { note }),
    height: HEIGHT,
    draw: (width) =>
      scatter(
        expressed,
        {
          x: ({ meanExpression }) => meanExpression as number,
          y: within(reach),
          xDomain: [least / 1.5, most * 1.5],
          yDomain: [-reach, reach],
          xLog: true,
          xLabel: 'mean expression of both arms',
          yLabel: 'log2 fold change',
          guides: [Plot.ruleY([0], { stroke: COLOURS.guide })],
        },
        width,
      ),
  });
}
