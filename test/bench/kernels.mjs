// Costs of the hot loops on a simulated screen, in WebAssembly and in their plain twins. Run after `npm run build`:
//   node test/bench/kernels.mjs
import {
  KernelHeap,
  MeasureAccumulator,
  DispersionProfile,
  fitIntercepts,
  likelihoodRatios,
  loadRows,
} from '@shardex/shared/kernels';
import { NodeBasis, nodeLogs } from '@shardex/shared/kernels';
import {
  CellSimulator,
  CountHistogram,
  chooseNodes,
  createDispersionGrid,
  createSimulationModel,
  estimateDispersions,
  fitPerturbation,
  freezeControl,
  quantumExponents,
} from '@shardex/shared/stats';
import { accumulateMeasuresReference } from '../../shared/dist/kernels/accumulate-measures.reference.js';
import {
  fitInterceptReference,
  likelihoodRatioReference,
  profileSlopeReference,
} from '../../shared/dist/kernels/measure-fit.reference.js';

const N_GENES = 8000;
const N_CELLS = 3000;
const REPEATS = 5;
/** Genes given to the twins, which are slow. */
const TWIN_GENES = 200;

const model = createSimulationModel({
  nCells: N_CELLS,
  nGenes: N_GENES,
  nPerturbations: 20,
  controlFraction: 0.5,
  depth: 6000,
  nBatches: 1,
  seed: 1,
});
const cells = new CellSimulator(model).simulate(0, N_CELLS);
const starts = new Float64Array(N_CELLS + 1);
for (let cell = 0; cell < N_CELLS; cell++) starts[cell + 1] = starts[cell] + cells.rowNnz[cell];
const range = [Math.min(...model.sizeFactor), Math.max(...model.sizeFactor)];
const chosen = chooseNodes(...range);
console.log(
  `${N_CELLS} cells, ${N_GENES} genes, ${cells.values.length} nonzeros; size factors need K = ${chosen.count} (bound ${chosen.bound.toExponential(1)})`,
);

const rowsOf = (heap, members) => {
  const indptr = [0];
  for (const cell of members) indptr.push(indptr.at(-1) + cells.rowNnz[cell]);
  const gather = (values) => members.flatMap((cell) => Array.from(values.subarray(starts[cell], starts[cell + 1])));
  return loadRows(heap, { indptr, indices: gather(cells.indices), counts: gather(cells.values) });
};

/** Processor time of this process so far, in ms: a busy machine does not lengthen it. */
const processorMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Shortest processor time of several runs, in ms. */
const fastest = (run, repeats = REPEATS) => {
  let best = Infinity;
  for (let i = 0; i < repeats; i++) {
    const begin = processorMs();
    run();
    best = Math.min(best, processorMs() - begin);
  }
  return best;
};

const report = (what, unit, wasm, twin) =>
  console.log(
    `  ${what.padEnd(34)} ${wasm.toFixed(3).padStart(8)} ${unit.padEnd(3)} plain twin ${twin.toFixed(2).padStart(8)} ${unit}  (${(twin / wasm).toFixed(0)}×)`,
  );

for (const count of [8, 12, 16, 24]) {
  const heap = KernelHeap.create();
  const nodes = { ...chosen, count, sizeFactors: nodeLogs(count, chosen.logMin, chosen.logMax).map(Math.exp) };
  const s = heap.copyF64(nodes.sizeFactors);
  const dispersions = heap.copyF64(model.dispersion);
  const group = (k) => [...model.cellPerturbation.keys()].filter((cell) => model.cellPerturbation[cell] === k);
  const [controlCells, perturbedCells] = [group(0), group(1)];
  const rows = rowsOf(heap, controlCells);
  const factors = Float64Array.from(controlCells, (cell) => model.sizeFactor[cell]);
  const nonzeros = rows.indptr[rows.nRows];
  const control = new MeasureAccumulator(heap, N_GENES, nodes);
  const perturbed = new MeasureAccumulator(heap, N_GENES, nodes);
  perturbed.addRows(
    rowsOf(heap, perturbedCells),
    Float64Array.from(perturbedCells, (cell) => model.sizeFactor[cell]),
  );
  console.log(`K = ${count}: control of ${controlCells.length} cells, perturbation of ${perturbedCells.length}`);

  const accumulate = fastest(() => {
    control.reset();
    control.addRows(rows, factors);
  });
  const basis = new NodeBasis(nodes);
  const accumulateTwin = fastest(() => {
    const weights = new Float64Array(rows.nRows * count);
    for (let row = 0; row < rows.nRows; row++) basis.write(factors[row], weights, row * count);
    accumulateMeasuresReference(rows, weights, count, {
      S: new Float64Array(N_GENES * count),
      sumCounts: new Float64Array(N_GENES),
      nExpressing: new Uint32Array(N_GENES),
    });
  }, 2);
  report('accumulation, per nonzero', 'ns', (accumulate / nonzeros) * 1e6, (accumulateTwin / nonzeros) * 1e6);

  const expressed = [...Array(N_GENES).keys()].filter((gene) => perturbed.sumCounts[gene] > 0).slice(0, TWIN_GENES);
  const geneOf = (measures, gene) => ({
    S: measures.S.slice(gene * count, (gene + 1) * count),
    N: measures.N.slice(),
    total: measures.sumCounts[gene],
  });
  const perTwin = (run) => (fastest(() => expressed.forEach(run), 1) / expressed.length) * 1e3;

  const fit = fastest(() => heap.scoped(() => fitIntercepts(heap, s, control, dispersions)));
  report(
    'intercept, per gene',
    'µs',
    (fit / N_GENES) * 1e3,
    perTwin((gene) => fitInterceptReference(geneOf(control, gene), nodes.sizeFactors, model.dispersion[gene])),
  );

  const arms = [control, perturbed].map((measures) => ({
    measures,
    fits: fitIntercepts(heap, s, measures, dispersions),
  }));
  const ratio = fastest(() => heap.scoped(() => likelihoodRatios(heap, s, dispersions, ...arms)));
  report(
    'likelihood ratio, per gene',
    'µs',
    (ratio / N_GENES) * 1e3,
    perTwin((gene) =>
      likelihoodRatioReference(
        [geneOf(control, gene), geneOf(perturbed, gene)],
        nodes.sizeFactors,
        model.dispersion[gene],
      ),
    ),
  );

  const frozen = freezeControl(heap, nodes, control, dispersions);
  const whole = fastest(() => fitPerturbation(heap, frozen, perturbed, { test: 'lrt' }));
  console.log(
    `  ${'fit and LRT with p-value, per gene'.padEnd(34)} ${((whole / N_GENES) * 1e3).toFixed(3).padStart(8)} µs`,
  );

  const grid = createDispersionGrid();
  const totals = control.sumCounts.map((total, gene) => total + perturbed.sumCounts[gene]);
  const exponents = quantumExponents(totals, N_CELLS);
  const profile = new DispersionProfile(heap, N_GENES, nodes.sizeFactors, grid.logAlphas, exponents);
  const withCounts = perturbed.sumCounts.filter((total) => total > 0).length;
  const points = fastest(() => profile.addGroup(perturbed), 3);
  const twinPoint = perTwin((gene) => profileSlopeReference(geneOf(perturbed, gene), nodes.sizeFactors, 0.3));
  report('profile point, per (gene, group, α)', 'µs', (points / (withCounts * grid.count)) * 1e3, twinPoint);

  if (count !== 16) continue;
  const histogram = new CountHistogram(N_GENES);
  const histogramMs = fastest(() => histogram.addRows(rows), 3);
  console.log(`  ${'histogram, per nonzero'.padEnd(34)} ${((histogramMs / nonzeros) * 1e6).toFixed(3).padStart(8)} ns`);
  const once = new DispersionProfile(heap, N_GENES, nodes.sizeFactors, grid.logAlphas, exponents);
  once.addGroup(control);
  const counts = new CountHistogram(N_GENES);
  counts.addRows(rows);
  const input = {
    profileSums: once.sums,
    grid,
    quantumExponents: exponents,
    histogram: counts,
    meanNormalised: control.sumCounts.map((total) => total / controlCells.length),
    totals: control.sumCounts,
    nCells: controlCells.length,
    nGroups: 1,
  };
  const estimate = fastest(() => estimateDispersions(heap, input), 2);
  console.log(
    `  ${'dispersion estimate, per gene'.padEnd(34)} ${((estimate / N_GENES) * 1e3).toFixed(3).padStart(8)} µs`,
  );
}
