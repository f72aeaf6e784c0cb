import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runPeerScript } from '../support/peers.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { correlation } from './agreement.js';
import { fitAsR } from './nb-deseq2-comparison.js';
import { readScreenCells, type ScreenCells } from './screen-cells.js';

const DATASET = 'datlinger_jurkat_scifi';
const CONTROL = 'control';
const PERTURBATIONS = ['LCK', 'ZAP70'];

/** Likelihood-ratio statistics of one gene. */
interface Statistics {
  readonly name: string;
  readonly ours: number;
  readonly theirs: number;
}

interface Judged {
  readonly all: readonly Statistics[];
  /** Not judged. */
  readonly others: readonly Statistics[];
  readonly judged: readonly (Statistics & { readonly largest: number; readonly atTheMean: number })[];
}

const r = (of: readonly Statistics[]): number =>
  correlation(
    of.map((gene) => gene.ours),
    of.map((gene) => gene.theirs),
  );

const report = (name: string, all: Judged['all'], judged: Judged['judged']): void => {
  const off = (which: 'ours' | 'theirs'): string =>
    Math.max(...judged.map((gene) => Math.abs(gene[which] - gene.largest))).toExponential(1);
  process.stdout.write(
    `${name}: ${all.length} genes, r ${r(all).toFixed(7)}; ${judged.length} judged, largest difference from scipy: ` +
      `ours ${off('ours')}, theirs ${off('theirs')}\n`,
  );
};

describeWithShared('LR statistics on some 60 counts a cell', (shared) => {
  let screen: ScreenCells;
  beforeAll(async () => {
    screen = await readScreenCells(shared(`data/${DATASET}.h5ad`));
  });
  describeWithPeers('judged by scipy', (python) => {
    let folder: string;
    let script: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-judge-'));
      script = await readFile(new URL('nb-deseq2-judge.py', import.meta.url), 'utf8');
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    /** Fits with R's parameters, and judges the genes whose statistics differ by more than `apart`. */
    const judge = async (perturbation: string, analysis: string, apart: number): Promise<Judged> => {
      const table = shared(`reference/${DATASET}/r_deseq2_${perturbation}_${analysis}`);
      const { result, tested, ofR } = fitAsR(screen, table, CONTROL, perturbation);
      const R = ofR('stat');
      const all = tested.map((gene) => ({ name: screen.genes[gene], ours: result.zScore[gene] ** 2, theirs: R[gene] }));
      const names = join(folder, `${perturbation}-${analysis}.json`);
      const isApart = ({ ours, theirs }: Statistics): boolean => Math.abs(ours - theirs) > apart;
      const differing = all.filter(isApart);
      await writeFile(names, JSON.stringify(differing.map((gene) => gene.name)));
      const asked = [shared(`data/${DATASET}.h5ad`), table, CONTROL, perturbation, names];
      const said = await runPeerScript<[number, number][]>(python, script, asked);
      expect(said.length).toBe(differing.length);
      return {
        all,
        others: all.filter((gene) => !isApart(gene)),
        judged: differing.map((gene, i) => ({ ...gene, largest: said[i][0], atTheMean: said[i][1] })),
      };
    };

    it.each(PERTURBATIONS)(
      'is ours for %s; R’s own optimiser takes the mean for the fit without groups',
      async (perturbation) => {
        const { all, judged } = await judge(perturbation, 'sc_lrt', 0.005);
        report(`${perturbation}, R`, all, judged);
        expect(r(all)).toBeGreaterThan(0.99999);
        expect(judged.length).toBeGreaterThan(50);
        for (const { name, ours, theirs, largest, atTheMean } of judged) {
          expect(Math.abs(ours - largest), name).toBeLessThan(1e-6);
          expect(Math.abs(theirs - atTheMean), name).toBeLessThan(1e-3);
        }
      },
    );

    it.each(PERTURBATIONS)('is ours for %s where glmGamPoi ends early', async (perturbation) => {
      const { all, others, judged } = await judge(perturbation, 'sc_lrt_glmGamPoi', 0.1);
      report(`${perturbation}, glmGamPoi`, all, judged);
      expect(judged.length).toBeLessThan(0.15 * all.length);
      for (const { name, ours, largest } of judged) expect(Math.abs(ours - largest), name).toBeLessThan(1e-6);
      process.stdout.write(`  r of the others ${r(others).toFixed(5)}\n`);
      expect(r(others)).toBeGreaterThan(0.999);
    });
  });
});
