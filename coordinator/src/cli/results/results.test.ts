import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultLayers } from '@shardex/shared/artifacts';
import { H5adFileWriter } from '@shardex/shared/h5ad';
import { runCli } from '../program.js';
import { fakeContext } from '../testing/fake-context.js';
import { compareRanked, StrongestRows } from './rank-rows.js';

const folder = mkdtempSync(join(tmpdir(), 'shardex-results-'));
const PERTURBATIONS = ['STAT1', 'IRF1'];
const GENES = ['g1', 'g2', 'g"3'];
/** By layer, perturbations × genes; every other layer is zero. */
const VALUES: Readonly<Record<string, readonly number[]>> = {
  X: [0.9, 0.1, 0.5, 0.25, 0, 0.5],
  z_score: [3, -4, 0, -1, 0, 0.5],
  pvalue: [0.01, 0, Number.NaN, 0.3, 0, 0.6],
  log10_pvalue: [-2, -400, Number.NaN, -0.52, -900, -0.22],
  pvalue_adj: [0.02, 0, Number.NaN, 0.45, 0, 0.6],
  status: [0, 0, 4, 0, 0, 0],
};

beforeAll(async () => {
  const layers = resultLayers('wilcoxon', { layers: 'default', shrink: 'none', reference: 'control' });
  const writer = await H5adFileWriter.create(join(folder, 'wilcoxon.h5ad'), {
    obs: {
      index: PERTURBATIONS,
      columns: {
        n_cells: { kind: 'numeric', values: Int32Array.of(120, 1050) },
        n_genes_tested: { kind: 'numeric', values: Int32Array.of(2, 3) },
      },
    },
    var: { index: GENES, columns: {} },
    uns: {},
    dense: { X: 'f32', layers: layers.filter(({ name }) => name !== 'X').map(({ name, dtype }) => ({ name, dtype })) },
  });
  const arrays = { f32: Float32Array, f64: Float64Array, u8: Uint8Array, i32: Int32Array };
  for (const { name, dtype } of layers) {
    const data = arrays[dtype].from(VALUES[name] ?? [0, 0, 0, 0, 0, 0]);
    await writer.writeRows(name === 'X' ? 'X' : `layers/${name}`, 0, data);
  }
  await writer.close();
  writeFileSync(join(folder, 'run.json'), JSON.stringify({ parameters: { alpha: { value: 0.01 } } }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const results = async (...options: string[]) => {
  const context = fakeContext();
  const code = await runCli(['results', folder, ...options], context);
  return { code, stdout: context.stdout.text, stderr: context.stderr.text };
};

describe('results', () => {
  it('sum up each perturbation at the level of the run', async () => {
    expect((await results()).stdout).toBe(
      [
        'TEST      PERTURBATION  CELLS  TESTED  FDR ≤ 0.01  STRONGEST GENES',
        'wilcoxon  STAT1           120       2           1  g2↓ g1↑',
        'wilcoxon  IRF1          1,050       3           1  g2↑ g1↓ g"3↑',
        '',
      ].join('\n'),
    );
  });

  it('are tidy rows of one perturbation in the order of the file', async () => {
    expect((await results('--perturbation', 'STAT1', '--format', 'csv')).stdout).toBe(
      [
        'test,perturbation,gene,effect,z_score,pvalue,log10_pvalue,pvalue_adj,pvalue_adj_global,logfoldchanges,pts,status',
        'wilcoxon,STAT1,g1,0.9,3,0.01,-2,0.02,0,0,0,tested',
        'wilcoxon,STAT1,g2,0.1,-4,0,-400,0,0,0,0,tested',
        'wilcoxon,STAT1,"g""3",0.5,0,,,,0,0,0,all-zero',
        '',
      ].join('\n'),
    );
  });

  it('are the strongest rows first, told apart where the p-value is 0 as a double', async () => {
    const rows = JSON.parse((await results('--top', '3', '--format', 'json')).stdout) as Record<string, unknown>[];
    expect(rows.map(({ perturbation, gene, effect }) => [perturbation, gene, effect])).toEqual([
      ['IRF1', 'g2', 0],
      ['STAT1', 'g2', 0.1],
      ['STAT1', 'g1', 0.9],
    ]);
  });

  it('are a table for people', async () => {
    expect((await results('--test', 'wilcoxon', '--perturbation', 'IRF1', '--top', '1')).stdout).toBe(
      [
        'TEST      PERTURBATION  GENE  EFFECT  LOGFOLDCHANGES  Z_SCORE  PVALUE  PVALUE_ADJ  PTS  STATUS',
        'wilcoxon  IRF1          g2         0               0        0       0           0    0  tested',
        '',
      ].join('\n'),
    );
  });

  it.each([
    [['--perturbation', 'STAT2'], /wilcoxon.h5ad has no perturbation "STAT2": did you mean "STAT1"\?$/m],
    [['--test', 'nb-glm'], /has no results of nb-glm \(nb_glm.h5ad\): it has those of wilcoxon$/m],
    [['--test', 'wilcoxn'], /unknown test "wilcoxn": did you mean "wilcoxon"\?/],
  ])('refuse %j with exit code 2', async (options, sentence) => {
    const { code, stdout, stderr } = await results(...options);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});

describe('the strongest rows', () => {
  it('are those that sorting everything gives, however the rows arrive', () => {
    const pvalue = fc.oneof(fc.constantFrom(0, 1, Number.NaN), fc.double({ min: 0, max: 1, noNaN: true }));
    fc.assert(
      fc.property(fc.array(pvalue, { maxLength: 400 }), fc.integer({ min: 1, max: 20 }), (pvalues, size) => {
        const strongest = new StrongestRows(size);
        for (let begin = 0; begin < pvalues.length; begin += 7) {
          const rows = new Map([['pvalue', Float64Array.from(pvalues.slice(begin, begin + 7))]]);
          strongest.add(rows, begin, 1);
        }
        const sorted = pvalues
          .map((value, row) => ({ row, gene: 0, pvalue: value, log10Pvalue: 0 }))
          .filter((row) => !Number.isNaN(row.pvalue))
          .sort(compareRanked)
          .slice(0, size);
        expect(strongest.finish()).toEqual(sorted);
      }),
      { seed: 11, numRuns: 200 },
    );
  });
});
