import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runPeerScript } from '../support/peers.js';
import { describeWithR, runR } from '../support/r.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { shardex } from '../support/shardex.js';
import { readResults, type Results } from './calibration-truth.mjs';
import { readCrispyxLayers } from './rank-variants-screen.js';
import { readScreenFile } from './screen-file.js';

const DATASETS = [
  { name: 'papalexi_thp1_eccite', control: 'NT', batch: 'bio_rep' },
  { name: 'datlinger_jurkat_scifi', control: 'control', batch: 'tcr' },
] as const;

/** What the script prints. */
interface Said {
  readonly groups: readonly string[];
  readonly notRounded: number;
}

/**
 * van Elteren's test by coin: its own permutation test of ranks within blocks over n + 1. (Its `wilcox_test(y ~ g | b)` ranks
 * over all blocks, which is another test.) Prints the z of every gene.
 */
const COIN = `
  suppressMessages(library(coin))
  d <- read.csv(commandArgs(TRUE)[1])
  g <- factor(d$g, levels = c("own", "control"))
  b <- factor(d$b)
  within <- function(y) rank_trafo(y) / (length(y) + 1)
  z <- sapply(grep("^y", names(d)), function(i) statistic(independence_test(y ~ g | b,
    data = data.frame(y = d[[i]], g = g, b = b), teststat = "scalar",
    ytrafo = function(data) trafo(data, numeric_trafo = within, block = b)), "standardized"))
  cat(formatC(z, digits = 17, format = "g"), sep = "\\n")`;

/** The largest |ours − theirs| over 1 + |theirs|; genes that we do not test are 0 or NaN for a peer. */
const largestDifference = (ours: Float64Array, theirs: ArrayLike<number>): number => {
  expect(ours.length).toBe(theirs.length);
  let largest = 0;
  ours.forEach((value, i) => {
    const peer = Number.isNaN(theirs[i]) ? 0 : theirs[i];
    largest = Math.max(largest, Math.abs((Number.isNaN(value) ? 0 : value) - peer) / (1 + Math.abs(peer)));
  });
  return largest;
};

/** Scores are stored as float32. */
const FLOAT32 = 1e-7;

describeWithShared('other references and batches on real screens', (shared) => {
  describe.each(DATASETS)('$name', ({ name, control, batch }) => {
    const source = shared(`data/${name}.h5ad`);
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-references-'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    const run = async (input: string, file: string, layers: readonly string[], options: string): Promise<Results> => {
      const output = join(folder, 'out');
      const design = ['--perturbation-column', 'perturbation', '--control-label', control, '--quiet', '--force'];
      const { exitCode, stderr } = await shardex(['de', input, '--out', output, ...design, ...options.split(' ')]);
      expect(exitCode, stderr).toBe(0);
      return readResults(output, file, layers);
    };
    const zOf = ({ layers }: Results): Float64Array => layers.get('z_score') ?? expect.fail('z_score was not read');
    const stratified = `--tests wilcoxon --batch-column ${batch}`;

    describeWithPeers('beside scanpy, crispyx and direct ranks', (python) => {
      let said: Said;
      const doubles = async (part: string): Promise<Float64Array> =>
        new Float64Array(new Uint8Array(await readFile(join(folder, part))).buffer);

      beforeAll(async () => {
        const script = await readFile(fileURLToPath(new URL('references.py', import.meta.url)), 'utf8');
        said = await runPeerScript<Said>(python, script, [folder, source, 'perturbation', control, batch]);
        // scanpy ranks the whole screen six times: half a minute of processor time.
      }, 600_000);

      it.each([
        ['control', ''],
        ['rest', ' --reference rest'],
        ['others', ' --reference other-perturbed'],
      ] as const)(
        'float32 ranks against %s are those of scanpy',
        async (part, option) => {
          const results = await run(
            source,
            'wilcoxon',
            ['z_score'],
            `--tests wilcoxon --rank-precision float32${option}`,
          );
          expect(results.perturbations).toEqual(part === 'rest' ? [control, ...said.groups] : said.groups);
          // scanpy adds ranks up and subtracts their mean, which costs it digits.
          expect(largestDifference(zOf(results), await doubles(`${part}.rounded`))).toBeLessThan(FLOAT32);
          // As far as scanpy is from itself on another processor (rank-variants.test.ts).
          const bound = said.notRounded === 0 ? FLOAT32 : 3e-3;
          expect(largestDifference(zOf(results), await doubles(`${part}.scanpy`))).toBeLessThan(bound);
        },
        60_000,
      );

      it.each(['welch', 'overestimated'] as const)(
        "t-tests against the rest, %s, are scanpy's",
        async (variant) => {
          const name = variant === 'welch' ? variant : 'overestimated-variance';
          const options = `--tests t-test --t-test ${name} --reference rest`;
          const results = await run(source, 't_test', ['z_score', 'pts_rest'], options);
          // scanpy squares in float32.
          expect(largestDifference(zOf(results), await doubles(variant))).toBeLessThan(1e-5);
          const shares = results.layers.get('pts_rest') ?? expect.fail();
          expect(largestDifference(shares, await doubles('ptsrest'))).toBeLessThan(FLOAT32);
        },
        60_000,
      );

      it.each([
        ['elteren', 'van-elteren'],
        ['unit', 'unit'],
      ] as const)(
        '%s weights are those of direct midranks within batches',
        async (part, weights) => {
          const results = await run(source, 'wilcoxon', ['z_score'], `${stratified} --batch-weights ${weights}`);
          expect(largestDifference(zOf(results), await doubles(part))).toBeLessThan(FLOAT32);
        },
        60_000,
      );

      it("unit weights are crispyx's, given its own matrix", async () => {
        const options = `${stratified} --batch-weights unit --input-scale log1p --layers crispyx`;
        const layers = ['z_score', 'X', 'u_statistic', 'pvalue'];
        const {
          genes,
          perturbations,
          layers: ours,
        } = await run(join(folder, 'crispyx.h5ad'), 'wilcoxon', layers, options);
        const crispyx = await readCrispyxLayers(
          shared(`reference/${name}/crispyx_wilcoxon_batch_${batch}.h5ad`),
          layers,
        );
        expect([perturbations, genes]).toEqual([crispyx.groups, crispyx.genes]);
        let compared = 0;
        crispyx.layers['z_score'].forEach((z, i) => {
          // Low in both arms: it leaves such genes out by default.
          if (Number.isNaN(z)) return;
          compared++;
          const at = (layer: string): number => ours.get(layer)?.[i] ?? NaN;
          expect(at('u_statistic')).toBe(crispyx.layers['u_statistic'][i]);
          expect(Math.abs(at('z_score') - z)).toBeLessThan(FLOAT32 * (1 + Math.abs(z)));
          expect(Math.abs(at('X') - crispyx.layers['X'][i])).toBeLessThan(FLOAT32);
          expect(Math.abs(Math.log(at('pvalue') / crispyx.layers['pvalue'][i]))).toBeLessThan(1e-8);
        });
        expect(compared).toBeGreaterThan(200);
      }, 60_000);
    });

    describeWithR("beside R's coin", () => {
      it("van Elteren weights are coin's permutation test of ranks within blocks", async () => {
        const screen = await readScreenFile(source, 'perturbation');
        const { labels: batches } = await readScreenFile(source, batch);
        const results = await run(source, 'wilcoxon', ['z_score'], stratified);
        const group = results.perturbations[0];
        const expressing = screen.genes.map(() => 0);
        screen.indices.forEach((gene) => expressing[gene]++);
        // The twenty genes that most cells express.
        const genes = Array.from(expressing.keys())
          .sort((a, b) => expressing[b] - expressing[a])
          .slice(0, 20);
        const lines = screen.labels.flatMap((label, cell) => {
          if (label !== group && label !== control) return [];
          const [begin, end] = [screen.indptr[cell], screen.indptr[cell + 1]];
          const counts = screen.counts.subarray(begin, end);
          const total = counts.reduce((sum, count) => sum + count, 0);
          const own = screen.indices.subarray(begin, end);
          const values = genes.map((gene) => (own.includes(gene) ? counts[own.indexOf(gene)] / total : 0));
          return [[label === group ? 'own' : 'control', batches[cell], ...values].join(',')];
        });
        const table = join(folder, 'cells.csv');
        await writeFile(table, [['g', 'b', ...genes.map((gene) => `y${gene}`)].join(','), ...lines].join('\n'));
        const coin = (await runR(COIN, [table])).trim().split('\n').map(Number);
        expect(
          largestDifference(
            Float64Array.from(genes, (gene) => zOf(results)[gene]),
            coin,
          ),
        ).toBeLessThan(FLOAT32);
      }, 120_000);
    });
  });
});
