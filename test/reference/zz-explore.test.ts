import { readdirSync } from 'node:fs';
import { it } from 'vitest';
import { describeWithShared } from '../support/shared-data.js';
import { readTable } from './csv-table.js';
import { readScreenCells } from './screen-cells.js';
import { createComparisonDesign, ComparisonCells, ComparisonDispersion, ComparisonTest } from '../../shared/src/stats/cell-glm/index.js';
import { fitDispersionPrior } from '../../shared/src/stats/dispersion-prior.js';
import { readH5adMetadata, columnTexts } from '@shardex/shared/h5ad';

describeWithShared('explore', (shared) => {
  it('x', async () => {
    for (const [dataset, cov] of [['papalexi_thp1_eccite','bio_rep'],['datlinger_jurkat_scifi','tcr']]) {
      const path = shared(`data/${dataset}.h5ad`);
      const cells = await readScreenCells(path);
      const meta = await readH5adMetadata(path, { matrix: 'X', obsColumns: [cov], obsNames: false });
      const covs = columnTexts(meta.columns[0]);
      const dir = shared(`reference/${dataset}`);
      for (const f of readdirSync(dir).filter((f) => f.startsWith('pydeseq2_') && f.endsWith('.csv.gz') && !f.includes('size_factors'))) {
        const tag = f.replace('.csv.gz', '');
        const pert = tag.split('_')[1];
        const table = readTable(`${dir}/${f}`);
        const sft = readTable(`${dir}/${tag}_size_factors.csv.gz`);
        const sf = sft.column('size_factor');
        const members = sft.names.map((n) => cells.position.get(n)!);
        const columns = [members.map((c) => (cells.labels[c] === pert ? 1 : 0))];
        if (tag.includes('_cov_')) {
          const levels = [...new Set(members.map((c) => covs[c]))].sort();
          for (const l of levels.slice(1)) columns.push(members.map((c) => (covs[c] === l ? 1 : 0)));
        }
        const design = createComparisonDesign(columns);
        const cc = new ComparisonCells(design, sf);
        const geneCells: number[][] = cells.genes.map(() => []);
        const geneCounts: number[][] = cells.genes.map(() => []);
        members.forEach((c, i) => cells.rows[c].genes.forEach((g, k) => { geneCells[g].push(i); geneCounts[g].push(cells.rows[c].counts[k]); }));
        const index = new Map(cells.genes.map((g, i) => [g, i]));
        const genes = table.names.map((n) => index.get(n)!);
        const col = (n: string) => table.column(n);
        const t0 = performance.now();
        const disp = new ComparisonDispersion(cc, 0.5);
        const means = genes.map(() => new Float64Array(design.nCoefficients));
        const est = genes.map((g, i) => disp.estimate(cc.place(geneCells[g], geneCounts[g]), means[i]));
        const t1 = performance.now();
        const genewise = Float64Array.from(est, (e) => e.genewise);
        const prior = fitDispersionPrior(est.map((e) => e.baseMean), genewise, design.nCells - design.nCoefficients, 'pydeseq2');
        const fitted = col('fitted_dispersions');
        const map = genes.map((g, i) => disp.posterior(cc.place(geneCells[g], geneCounts[g]), means[i], prior.trend[i], prior));
        const t2 = performance.now();
        const test = new ComparisonTest(cc, { minMu: 0.5, test: 'wald', waldReference: 'normal', standardErrors: 'fisher' });
        const theirDisp = col('dispersions');
        const res = genes.map((g, i) => test.test(cc.place(geneCells[g], geneCounts[g]), theirDisp[i]));
        const t3 = performance.now();
        const cmp = (name: string, ours: number[], theirs: ArrayLike<number>, tol = 1e-3, scale?: ArrayLike<number>) => {
          const d = ours.map((v, i) => Math.abs(v - theirs[i]) / (scale ? Math.max(Math.abs(theirs[i]), scale[i]) : Math.abs(theirs[i])));
          const out = d.map((v, i) => [v, i] as const).filter(([v]) => !(v < tol));
          const s = [...d].sort((a, b) => a - b);
          console.log(name, 'median', s[s.length >> 1].toExponential(1), 'outside', out.length, '/', d.length, 'of', genes.length, out.sort((a,b)=>b[0]-a[0]).slice(0, 5).map(([v, i]) => `${table.names[i]} ${v.toExponential(1)} ${ours[i].toPrecision(5)} ${theirs[i].toPrecision(5)} bm${est[i].baseMean.toPrecision(2)}`).join(' | '));
        };
        console.log('==', tag, 'cells', design.nCells, 'rows', design.nRows, 'p', design.nCoefficients, 'ms', (t1 - t0).toFixed(0), (t2 - t1).toFixed(0), (t3 - t2).toFixed(0));
        console.log('trend ours', prior.trendKind, prior.trendCoefficients, 'theirs', fitted[0], 'ratio', prior.trend[0] / fitted[0], 'priorVar', prior.priorVariance);
        const p2 = fitDispersionPrior(est.map((e) => e.baseMean), col('genewise_dispersions'), design.nCells - design.nCoefficients, 'pydeseq2');
        console.log('trend of theirs', p2.trendKind, p2.trendCoefficients, p2.trend[0] / fitted[0], p2.priorVariance);
        cmp('genewise', [...genewise], col('genewise_dispersions'));
        cmp('MAP', map, col('MAP_dispersions'));
        cmp('lfc', res.map((r) => r.log2FoldChange), col('log2FoldChange'), 1e-3, col('lfcSE'));
        cmp('se', res.map((r) => r.standardErrorLog2), col('lfcSE'));
        console.log('notconv', res.filter((r) => !r.converged).length, 'iterations max', Math.max(...res.map((r) => r.iterations)), 'mean', res.reduce((s, r) => s + r.iterations, 0) / res.length);
      }
    }
  });
});
