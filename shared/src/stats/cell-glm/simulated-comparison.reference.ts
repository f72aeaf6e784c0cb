/** Counts of a comparison, made up. */
export interface SimulatedComparison {
  /** The tested column, then covariates. */
  readonly columns: readonly (readonly number[])[];
  readonly sizeFactors: readonly number[];
  /** Cells with a count and their counts. */
  readonly genes: { cells: number[]; counts: number[] }[];
  /** Counts of the cells [from, to) as rows. */
  rows(from: number, to: number): { indptr: number[]; indices: number[]; counts: number[] };
  /** Counts of all cells. */
  dense(gene: number): Float64Array;
}

/**
 * A comparison of reference cells, first, and perturbed cells, with genes of means from 0.02 to 50, counts of some tens of
 * percent more than Poisson variance, and continuous covariates that matter. The same for the same arguments.
 */
export function simulatedComparison(size: {
  readonly nCells: number;
  readonly nPerturbed: number;
  readonly nGenes: number;
  readonly covariates: number;
}): SimulatedComparison {
  const { nCells, nPerturbed, nGenes, covariates } = size;
  let state = 20_240_601;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const cells = Array.from({ length: nCells }, (_, cell) => cell);
  const columns: number[][] = [cells.map((cell) => (cell < nCells - nPerturbed ? 0 : 1))];
  for (let c = 0; c < covariates; c++) columns.push(cells.map(normal));
  const sizeFactors = cells.map(() => Math.exp(0.6 * normal()));
  const genes: SimulatedComparison['genes'] = [];
  for (let gene = 0; gene < nGenes; gene++) {
    const mean = 0.02 * 2500 ** (gene / Math.max(nGenes - 1, 1));
    const slopes = columns.map((_, c) => (c === 0 ? 0.5 : 0.2) * Math.cos(gene + 3 * c));
    const of: { cells: number[]; counts: number[] } = { cells: [], counts: [] };
    for (const cell of cells) {
      const eta = slopes.reduce((sum, slope, c) => sum + slope * columns[c][cell], 0.3 * normal());
      let count = 0;
      // Poisson by waiting times.
      for (
        let time = -Math.log(uniform());
        time < mean * sizeFactors[cell] * Math.exp(eta);
        time -= Math.log(uniform())
      )
        count++;
      if (count === 0) continue;
      of.cells.push(cell);
      of.counts.push(count);
    }
    genes.push(of);
  }
  return {
    columns,
    sizeFactors,
    genes,
    dense(gene) {
      const counts = new Float64Array(nCells);
      this.genes[gene].cells.forEach((cell, k) => (counts[cell] = this.genes[gene].counts[k]));
      return counts;
    },
    rows(from, to) {
      const [indptr, indices, counts]: number[][] = [[0], [], []];
      for (let cell = from; cell < to; cell++) {
        for (const [gene, of] of this.genes.entries()) {
          const k = of.cells.indexOf(cell);
          if (k < 0) continue;
          indices.push(gene);
          counts.push(of.counts[k]);
        }
        indptr.push(indices.length);
      }
      return { indptr, indices, counts };
    },
  };
}
