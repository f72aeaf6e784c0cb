import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { crispyxDispersions } from '@shardex/shared/stats';
import { File, ready } from 'h5wasm/node';
import { expect, it } from 'vitest';
import { describeWithShared } from '../support/shared-data.js';
import { readScreenCells } from './screen-cells.js';

/** Numbers of a result file of crispyx 0.2.2, by the HDF5 library. */
const numbersOf = async (path: string, ...datasets: string[]): Promise<Float64Array[]> => {
  const { FS } = await ready;
  const name = basename(path);
  FS.writeFile(name, await readFile(path));
  const file = new File(name, 'r');
  try {
    return datasets.map((dataset) =>
      Float64Array.from((file.get(dataset) as unknown as { value: ArrayLike<number> }).value, Number),
    );
  } finally {
    file.close();
    FS.unlink(name);
  }
};

describeWithShared('dispersions as crispyx has them', (shared) => {
  it.each(['papalexi_thp1_eccite', 'datlinger_jurkat_scifi'])('agree on %s, with its size factors', async (dataset) => {
    const { rows, genes } = await readScreenCells(shared(`data/${dataset}.h5ad`));
    const [factors, final, trend] = await numbersOf(
      shared(`reference/${dataset}/crispyx_nb_glm.h5ad`),
      'uns/size_factors',
      'var/dispersion',
      'var/dispersion_trend',
    );
    const sums = { sums: new Float64Array(genes.length), sumSquares: new Float64Array(genes.length) };
    const sumsOverFactor = new Float64Array(genes.length);
    for (const [cell, row] of rows.entries()) {
      for (const [i, gene] of row.genes.entries()) {
        const normalised = row.counts[i] / factors[cell];
        sums.sums[gene] += normalised;
        sums.sumSquares[gene] += normalised * normalised;
        sumsOverFactor[gene] += normalised / factors[cell];
      }
    }
    const meanSizeFactor = factors.reduce((sum, factor) => sum + factor, 0) / factors.length;
    const estimate = crispyxDispersions({ nCells: rows.length, meanSizeFactor, ...sums, sumsOverFactor });
    for (const gene of genes.keys()) {
      if (!Number.isFinite(final[gene])) continue;
      // crispyx stops its search for the trend at 2e-9 of the loss, that is 1e-5 of the coefficients (measured: 9.3e-6).
      expect(Math.abs(estimate.trend[gene] / trend[gene] - 1)).toBeLessThan(2e-5);
      expect(Math.abs(estimate.final[gene] / final[gene] - 1)).toBeLessThan(1e-5);
    }
  });
});
