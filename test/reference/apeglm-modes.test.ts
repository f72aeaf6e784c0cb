import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runPeerScript } from '../support/peers.js';
import { describeWithPeers, describeWithShared } from '../support/shared-data.js';
import { correlation } from './agreement.js';
import { shrinkAsPeer } from './apeglm-comparison.js';
import { readScreenCells, type ScreenCells } from './screen-cells.js';

/** What the script prints: how much lower than the top ours and the peer's are, and our gain by PyDESeq2's own posterior. */
type Judged = readonly [gene: string, ours: number, theirs: number, gain: number | null];

/** Where two modes differ by so much in log posterior, the lower one was taken; a search that ends early loses less. */
const MODES_APART = 0.1;

const PAPALEXI = { dataset: 'papalexi_thp1_eccite', control: 'NT' } as const;
const DATLINGER = { dataset: 'datlinger_jurkat_scifi', control: 'control' } as const;
/** `lower`: genes whose fold change by the peer is not near the highest mode. CAV1's prior is a thousandth wide. */
const COMPARISONS = [
  { ...PAPALEXI, perturbation: 'STAT1', isR: true, lower: [] },
  { ...PAPALEXI, perturbation: 'CAV1', isR: true, lower: ['COMMD9', 'MTMR10'] },
  { ...PAPALEXI, perturbation: 'CAV1', isR: false, lower: ['COMMD9', 'MTMR10'] },
  { ...DATLINGER, perturbation: 'LCK', isR: true, lower: [] },
] as const;

describeWithShared('the modes of apeGLM', (shared) => {
  describeWithPeers('that scipy finds from seven starts', (python) => {
    const screens = new Map<string, ScreenCells>();
    let folder: string;
    let script: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-modes-'));
      script = await readFile(new URL('apeglm-modes.py', import.meta.url), 'utf8');
      for (const { dataset } of [PAPALEXI, DATLINGER])
        screens.set(dataset, await readScreenCells(shared(`data/${dataset}.h5ad`)));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it.each(COMPARISONS)(
      'are ours for every gene of $perturbation, and the peer’s for all but $lower (R: $isR)',
      async ({ dataset, control, perturbation, isR, lower }) => {
        const screen = screens.get(dataset) ?? expect.fail(`${dataset} was not read`);
        const table = `${isR ? 'r_deseq2' : 'pydeseq2'}_${perturbation}_${isR ? 'wald_default' : 'poscounts'}`;
        const base = shared(`reference/${dataset}/${table}`);
        const { shrunk, genes, scale, peerLog2FoldChange } = shrinkAsPeer(screen, base, control, perturbation, isR);
        const own = genes.map((gene) => [screen.genes[gene], shrunk.log2FoldChangeShrunk[gene] * Math.LN2]);
        const ours = join(folder, `${table}.json`);
        await writeFile(ours, JSON.stringify(Object.fromEntries(own)));
        const asked = [shared(`data/${dataset}.h5ad`), base, control, perturbation, String(scale), ours];
        const judged = await runPeerScript<Judged[]>(python, script, asked);

        expect(judged.length).toBe(genes.length);
        const below = judged.filter(([, , theirs]) => theirs > MODES_APART).map(([gene]) => gene);
        expect(below).toEqual(lower);
        for (const [gene, oursBelow, theirsBelow, gain] of judged) {
          expect(oursBelow, gene).toBeLessThan(1e-9);
          if (gain !== null) expect(Math.abs(gain - (theirsBelow - oursBelow)), gene).toBeLessThan(1e-6);
        }
        const others = genes.filter((gene) => !below.includes(screen.genes[gene]));
        const ofOthers = (values: Float64Array): number[] => others.map((gene) => values[gene]);
        const r = correlation(ofOthers(shrunk.log2FoldChangeShrunk), ofOthers(peerLog2FoldChange));
        const largest = (column: 1 | 2): string => Math.max(...judged.map((one) => one[column])).toExponential(1);
        process.stdout.write(
          `${perturbation}, ${isR ? 'R' : 'PyDESeq2'}: ${genes.length} genes, below the top: ours ${largest(1)}, theirs ${largest(2)}, ` +
            `on a lower mode: ${below.join(' ') || 'none'}, r of the others ${r.toFixed(7)}\n`,
        );
      },
    );
  });
});
