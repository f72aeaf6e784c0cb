// Costs of the rank-sum and moment kernels on simulated expression, in WebAssembly and in their plain twins.
// Run after `npm run build`:
//   node test/bench/rank-sum.mjs
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelHeap, MomentAccumulator, rankSumAgainstControl, sortColumns, tieTerms } from '@shardex/shared/kernels';
import { GlobalBenjaminiHochberg, log10StudentTwoSided, normalTwoSided, studentTwoSided } from '@shardex/shared/stats';
import { UnnamedFile } from '@shardex/shared/storage';
import { countMomentsReference } from '../../shared/dist/kernels/moment-accumulator.reference.js';
import { rankSumReference } from '../../shared/dist/kernels/rank-sum.reference.js';
import { sortColumnsReference } from '../../shared/dist/kernels/sort-columns.reference.js';

const REPEATS = 5;
const GENES = 500;
const GROUPS = 40;
const GROUP_CELLS = 250;
/** Genes given to the midrank twin, which sorts all cells of every comparison. */
const TWIN_GENES = 4;

let state = 1;
const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;

/** Shortest processor time of several runs, in ns; `prepare` is not timed. */
const fastest = (run, prepare = () => undefined, repeats = REPEATS) => {
  let best = Infinity;
  for (let i = 0; i < repeats; i++) {
    prepare();
    const before = process.cpuUsage();
    run();
    const used = process.cpuUsage(before);
    best = Math.min(best, 1e3 * (used.user + used.system));
  }
  return best;
};

const report = (what, unit, kernel, twin) =>
  console.log(
    `  ${what.padEnd(46)} ${kernel.toFixed(1).padStart(8)} ns a ${unit}` +
      (twin === undefined ? '' : `; plain twin ${twin.toFixed(1)} (${(twin / kernel).toFixed(1)}×)`),
  );

/** Counts of a gene with the given mean: geometric, so that 1 is the commonest and the tail is long. */
const drawCount = (mean) => Math.floor(Math.log(random()) / Math.log(mean / (1 + mean)));
/** Mean count of gene g: from 0.01 to 10, evenly on the log scale. */
const meanOf = (gene, genes) => 10 ** (-2 + (3 * gene) / genes);

/** Rank keys of `cells` cells in segments, one a gene. */
const drawColumns = (cells) => {
  const totals = Float64Array.from({ length: cells }, () => 3000 + Math.floor(random() * 12_000));
  const keys = [];
  const offsets = [0];
  for (let gene = 0; gene < GENES; gene++) {
    const mean = meanOf(gene, GENES);
    for (let cell = 0; cell < cells; cell++) {
      const count = drawCount(mean);
      if (count > 0) keys.push(count / totals[cell]);
    }
    offsets.push(keys.length);
  }
  return { keys: Float64Array.from(keys), offsets };
};

const dense = ({ keys, offsets }, gene, cells) => {
  const own = Array.from(keys.subarray(offsets[gene], offsets[gene + 1]));
  return [...own, ...new Array(cells - own.length).fill(0)];
};

const heap = KernelHeap.create();
const groups = Array.from({ length: GROUPS }, () => drawColumns(GROUP_CELLS));
const groupOffsets = [0];
for (const { offsets } of groups) {
  for (let gene = 0; gene < GENES; gene++) groupOffsets.push(groupOffsets.at(-1) + offsets[gene + 1] - offsets[gene]);
}
const nonzeros = groupOffsets.at(-1);
const unsorted = new Float64Array(nonzeros);
groups.forEach(({ keys }, g) => unsorted.set(keys, groupOffsets[g * GENES]));
const groupKeys = {
  keys: heap.f64(nonzeros),
  offsets: heap.copyU32(groupOffsets),
  sizes: groups.map(() => GROUP_CELLS),
};
console.log(
  `${GENES} genes, ${GROUPS} groups of ${GROUP_CELLS} cells, ${nonzeros} nonzeros in ${groupOffsets.length - 1} segments`,
);

const twinKeys = new Float64Array(nonzeros);
report(
  `sort of the groups' segments`,
  'nonzero',
  fastest(
    () => sortColumns(heap, groupKeys.keys, groupKeys.offsets),
    () => groupKeys.keys.set(unsorted),
  ) / nonzeros,
  fastest(
    () => sortColumnsReference(twinKeys, groupKeys.offsets),
    () => twinKeys.set(unsorted),
  ) / nonzeros,
);

for (const controlCells of [2000, 20_000, 100_000]) {
  const drawn = drawColumns(controlCells);
  heap.scoped(() => {
    const keys = heap.f64(drawn.keys.length);
    const offsets = heap.copyU32(drawn.offsets);
    const ties = heap.f64(GENES);
    const sorted = new Float64Array(drawn.keys.length);
    console.log(
      `${controlCells} control cells, ${drawn.keys.length} nonzeros, ${Math.round(drawn.keys.length / GENES)} a gene`,
    );
    report(
      'sort of the control columns',
      'nonzero',
      fastest(
        () => sortColumns(heap, keys, offsets),
        () => keys.set(drawn.keys),
      ) / keys.length,
      fastest(
        () => sortColumnsReference(sorted, offsets),
        () => sorted.set(drawn.keys),
        1,
      ) / keys.length,
    );
    report('tie terms of the control', 'nonzero', fastest(() => tieTerms(heap, keys, offsets, ties)) / keys.length);
    const control = { keys, offsets, ties, nCells: controlCells };
    const options = { tieCorrect: true, continuity: false };
    const rank = () => heap.scoped(() => rankSumAgainstControl(heap, control, groupKeys, options));
    const twin = () => {
      for (let gene = 0; gene < GENES; gene += GENES / TWIN_GENES) {
        rankSumReference(dense(groups[0], gene, GROUP_CELLS), dense(drawn, gene, controlCells), options);
      }
    };
    const perTest = fastest(twin, undefined, 2) / TWIN_GENES;
    const all = fastest(rank, () => groupKeys.keys.set(unsorted));
    report('rank sums, sort included', 'nonzero', all / nonzeros, (perTest * GENES * GROUPS) / nonzeros);
    report('rank sums of sorted groups', 'nonzero', fastest(rank) / nonzeros);
    report('rank sums, sort included', 'test', all / (GENES * GROUPS), perTest);
  });
}

const CELLS = 2000;
const MOMENT_GENES = 8000;
heap.scoped(() => {
  const indptr = [0];
  const indices = [];
  const counts = [];
  for (let cell = 0; cell < CELLS; cell++) {
    for (let gene = 0; gene < MOMENT_GENES; gene++) {
      const count = drawCount(meanOf((gene * 37) % MOMENT_GENES, MOMENT_GENES));
      if (count === 0) continue;
      indices.push(gene);
      counts.push(count);
    }
    indptr.push(indices.length);
  }
  const rows = {
    nRows: CELLS,
    indptr: heap.copyU32(indptr),
    indices: heap.copyU32(indices),
    counts: heap.copyU32(counts),
  };
  const totals = heap.copyF64(indptr.slice(1).map((_, cell) => 5000 + cell));
  const sizeFactors = heap.copyF64(indptr.slice(1).map((_, cell) => 0.5 + cell / CELLS));
  const accumulator = new MomentAccumulator(heap, MOMENT_GENES);
  console.log(`${CELLS} cells, ${MOMENT_GENES} genes, ${indices.length} nonzeros`);
  report(
    'moments of counts',
    'nonzero',
    fastest(() => accumulator.addRows(rows, totals, sizeFactors)) / indices.length,
    fastest(() => countMomentsReference(MOMENT_GENES, rows, totals, sizeFactors), undefined, 2) / indices.length,
  );
  const values = heap.f64(indices.length);
  for (let row = 0; row < CELLS; row++) {
    for (let i = indptr[row]; i < indptr[row + 1]; i++) values[i] = Math.log1p((1e4 * counts[i]) / totals[row]);
  }
  const realRows = { nRows: CELLS, indptr: rows.indptr, indices: rows.indices, values };
  report('moments of given logarithms', 'nonzero', fastest(() => accumulator.addRealRows(realRows)) / indices.length);
});

console.log('statistics');
const TAILS = 1e6;
const each = (tail) =>
  fastest(() => {
    for (let i = 0; i < TAILS; i++) tail(i * 6e-6);
  }) / TAILS;
report('normal tail', 'value', each(normalTwoSided));
report(
  'Student tail, 300 degrees of freedom',
  'value',
  each((t) => studentTwoSided(t, 300)),
);
report(
  'Student tail, 300 degrees of freedom, log10',
  'value',
  each((t) => log10StudentTwoSided(t, 300)),
);
const SCREEN = 1_600_000;
// One in ten from an alternative whose p-values reach far down.
const pValues = Float64Array.from({ length: SCREEN }, () => (random() < 0.1 ? 10 ** (-20 * random()) : random()));
const adjusted = new Float64Array(SCREEN);
report(
  'Benjamini–Hochberg over the screen',
  'value',
  fastest(() => {
    const family = new GlobalBenjaminiHochberg(() => UnnamedFile.beside(join(tmpdir(), 'screen')));
    family.add(pValues);
    while (family.nextPass()) family.collect(pValues);
    family.adjustAll(pValues, adjusted);
    family.close();
  }) / SCREEN,
);
