import { readFileSync } from 'node:fs';
import { estimatePriorScale, profileCoefficientDirect, shrinkCoefficientDirect } from '@shardex/shared/stats';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeWithShared } from '../support/shared-data.js';
import { correlation, median } from './agreement.js';
import { shrink, shrinkAsPeer, type Group } from './apeglm-comparison.js';
import { readTable, type Table } from './csv-table.js';
import { readScreenCells, type ScreenCells } from './screen-cells.js';

/**
 * Tables of R 4.2.2, DESeq2 1.38.3 `lfcShrink(type = "apeglm")`, apeglm 1.27.0, and of PyDESeq2 0.5.4 `lfc_shrink`, both with
 * size factors by poscounts. Size factors, dispersions and maximum-likelihood estimates (R's and PyDESeq2's clamp means at
 * 0.5 for those) are theirs, so that only the shrinkage is compared. The script that made them: reference/scripts.
 *
 * The judge where they differ from us is the posterior itself, by sums over cells.
 */
const OTHER_SCALE = 15;
/** R takes the Hessian by central differences of this step (`optimHess`, ndeps), wide against a narrow prior. */
const R_STEP = 1e-3;

interface ProfilePoint {
  readonly logPosterior: number;
  /** Observed information of the two arms' intercepts. */
  readonly informations: readonly [number, number];
}

/** The posterior of one gene at a log fold change, with the best intercept for it, by sums over cells. */
const profileAt = (
  groups: readonly [Group, Group],
  gene: number,
  alpha: number,
  scale: number,
  beta: number,
): ProfilePoint => {
  const at = (a: number): { score: number; informations: [number, number]; logLikelihood: number } => {
    let [score, logLikelihood] = [0, 0];
    const informations = groups.map(({ counts, sizeFactors }, group) => {
      let information = 0;
      const eta = a + group * beta;
      for (const [cell, y] of counts[gene].entries()) {
        const mu = sizeFactors[cell] * Math.exp(eta);
        score += (y - mu) / (1 + alpha * mu);
        information += (mu * (1 + alpha * y)) / (1 + alpha * mu) ** 2;
        logLikelihood += y * eta - (y + 1 / alpha) * Math.log1p(alpha * mu);
      }
      return information;
    });
    return { score: score - a / OTHER_SCALE ** 2, informations: informations as [number, number], logLikelihood };
  };
  const sum = (values: Float64Array): number => values.reduce((x, y) => x + y, 0);
  const [total, exposure] = [0, 1].map((i) =>
    groups.reduce((x, group) => x + sum(i === 0 ? group.counts[gene] : group.sizeFactors), 0),
  );
  let a = Math.log(total / exposure);
  let point = at(a);
  for (let i = 0; i < 100; i++) {
    const step = point.score / (point.informations[0] + point.informations[1] + OTHER_SCALE ** -2);
    a += Math.max(-1, Math.min(1, step));
    point = at(a);
    if (Math.abs(step) < 1e-10) break;
  }
  const prior = a ** 2 / (2 * OTHER_SCALE ** 2) + Math.log1p((beta / scale) ** 2);
  return { logPosterior: point.logLikelihood - prior, informations: point.informations };
};

const priorCurvature = (beta: number, scale: number): number =>
  (2 * (scale ** 2 - beta ** 2)) / (scale ** 2 + beta ** 2) ** 2;

/** The standard error that R reports at the same mode. */
const standardErrorOfR = (point: ProfilePoint, beta: number, scale: number): number => {
  const slope = (b: number): number => (2 * b) / (scale ** 2 + b ** 2);
  const curvature = (slope(beta + R_STEP) - slope(beta - R_STEP)) / (2 * R_STEP);
  const control = point.informations[0] + OTHER_SCALE ** -2;
  const perturbed = point.informations[1];
  return Math.sqrt(1 / ((control * perturbed) / (control + perturbed) + curvature));
};

/** The same of PyDESeq2 0.5.4, which adds the priors' curvatures to whole columns of the Hessian, not to its diagonal. */
const standardErrorOfPydeseq2 = (point: ProfilePoint, beta: number, scale: number): number => {
  const [control, perturbed] = point.informations;
  const [h0, h1] = [OTHER_SCALE ** -2, priorCurvature(beta, scale)];
  const determinant = (control + perturbed + h0) * (perturbed + h1) - (perturbed + h1) * (perturbed + h0);
  return Math.sqrt(Math.abs((control + perturbed + h0) / determinant));
};

interface Comparison {
  /** Shrunken log2 fold changes, ours and theirs, of the genes that have both. */
  readonly ours: number[];
  readonly theirs: number[];
  /** Log posterior at ours less that at theirs. */
  readonly gains: number[];
  /** Our standard error, computed as they do, over theirs; of genes whose modes agree. */
  readonly errorRatios: number[];
  readonly twoModes: number[];
  readonly scale: number;
}

const compare = (
  screen: ScreenCells,
  base: string,
  control: string,
  perturbation: string,
  isR: boolean,
): Comparison => {
  const asPeer = shrinkAsPeer(screen, base, control, perturbation, isR);
  const { groups, alpha, scale, shrunk, genes } = asPeer;
  const both = genes.map((gene) => {
    const [mine, its] = [shrunk.log2FoldChangeShrunk[gene], asPeer.peerLog2FoldChange[gene]];
    const [top, theirTop] = [mine * Math.LN2, its * Math.LN2];
    expect(shrunk.converged[gene]).toBe(1);
    const here = profileAt(groups, gene, alpha[gene], scale, top);
    const there = profileAt(groups, gene, alpha[gene], scale, theirTop);
    const asTheirs = (isR ? standardErrorOfR : standardErrorOfPydeseq2)(here, top, scale) / Math.LN2;
    const agree = Math.abs(top - theirTop) < 1e-4 * Math.max(scale, 0.01);
    return {
      mine,
      its,
      gain: here.logPosterior - there.logPosterior,
      ratio: agree ? [asTheirs / asPeer.peerStandardError[gene]] : [],
    };
  });
  return {
    ours: both.map((gene) => gene.mine),
    theirs: both.map((gene) => gene.its),
    gains: both.map((gene) => gene.gain),
    errorRatios: both.flatMap((gene) => gene.ratio),
    twoModes: genes.flatMap((gene, i) => (shrunk.twoModes[gene] === 1 ? [i] : [])),
    scale,
  };
};

const report = (name: string, { ours, theirs, gains, errorRatios, scale, twoModes }: Comparison): void => {
  const gaps = ours.map((value, i) => Math.abs(value - theirs[i]));
  process.stdout.write(
    `${name}: scale ${scale.toFixed(5)}, ${ours.length} genes, r ${correlation(ours, theirs).toFixed(7)}, ` +
      `|Δ| median ${median(gaps).toExponential(1)} max ${Math.max(...gaps).toExponential(1)}, ` +
      `posterior gain ${Math.min(...gains).toExponential(1)} to ${Math.max(...gains).toExponential(1)}, ` +
      `SE ratio of ${errorRatios.length} genes ${Math.min(...errorRatios).toFixed(4)} to ${Math.max(...errorRatios).toFixed(4)}, ` +
      `two modes ${twoModes.length}\n`,
  );
};

const SCREENS = [
  {
    dataset: 'papalexi_thp1_eccite',
    control: 'NT',
    r: ['STAT1', 'BRD4'],
    pydeseq2: ['STAT1', 'BRD4', 'IFNGR1', 'MYC'],
  },
  { dataset: 'datlinger_jurkat_scifi', control: 'control', r: ['LCK', 'ZAP70'], pydeseq2: ['LCK', 'ZAP70'] },
] as const;

describeWithShared('apeGLM shrinkage against R and PyDESeq2', (shared) => {
  describe.each(SCREENS)('on $dataset', ({ dataset, control, r, pydeseq2 }) => {
    let screen: ScreenCells;
    beforeAll(async () => {
      screen = await readScreenCells(shared(`data/${dataset}.h5ad`));
    });
    const folder = shared(`reference/${dataset}`);

    const agrees = (name: string, found: Comparison): void => {
      report(name, found);
      expect(found.ours.length).toBeGreaterThan(250);
      expect(correlation(found.ours, found.theirs)).toBeGreaterThan(0.9999);
      // Nowhere is theirs the better mode; where the two differ they stopped before the top.
      expect(Math.min(...found.gains)).toBeGreaterThan(-1e-9);
      expect(Math.max(...found.gains)).toBeLessThan(0.01);
      expect(found.errorRatios.length).toBeGreaterThan(0.7 * found.ours.length);
      for (const ratio of found.errorRatios) expect(Math.abs(ratio - 1)).toBeLessThan(2e-3);
    };

    it.each(r)('agrees with R for %s, gene by gene', (perturbation) => {
      const base = `${folder}/r_deseq2_${perturbation}_wald_default`;
      agrees(`${perturbation}, R`, compare(screen, base, control, perturbation, true));
    });

    it.each(pydeseq2)('agrees with PyDESeq2 for %s, gene by gene', (perturbation) => {
      const base = `${folder}/pydeseq2_${perturbation}_poscounts`;
      agrees(`${perturbation}, PyDESeq2`, compare(screen, base, control, perturbation, false));
    });

    it.runIf(dataset === 'papalexi_thp1_eccite').each([true, false])(
      'shrinks CAV1, which has no effects, to nothing where the others miss the higher of two modes (R: %s)',
      (isR) => {
        const base = `${folder}/${isR ? 'r_deseq2_CAV1_wald_default' : 'pydeseq2_CAV1_poscounts'}`;
        const found = compare(screen, base, control, 'CAV1', isR);
        report(`CAV1, ${isR ? 'R' : 'PyDESeq2'}`, found);
        // The prior's scale is its floor; r is of numbers near 1e-5 and says nothing.
        expect(found.scale).toBe(0.001);
        expect(Math.max(...found.ours.map(Math.abs))).toBeLessThan(1e-3);
        expect(Math.min(...found.gains)).toBeGreaterThan(-1e-9);
        const far = found.theirs.flatMap((value, i) => (Math.abs(value) > 1e-3 ? [i] : []));
        expect(far).toEqual(found.twoModes);
        for (const i of far) expect(found.gains[i]).toBeGreaterThan(1);
        for (const ratio of found.errorRatios) expect(Math.abs(ratio - 1)).toBeLessThan(2e-3);
      },
    );
  });

  describe('on pasilla, bulk', () => {
    let genes: readonly string[];
    let columns: readonly Float64Array[];
    let samples: readonly string[];
    beforeAll(() => {
      const [header, ...lines] = readFileSync(shared('data/pasilla_gene_counts.tsv'), 'utf8').trim().split('\n');
      samples = header.split('\t').slice(1);
      genes = lines.map((line) => line.split('\t')[0]);
      columns = samples.map((_, i) => Float64Array.from(lines, (line) => Number(line.split('\t')[i + 1])));
    });

    const read = (
      design: string,
    ): Record<'lfc' | 'error' | 'mle' | 'mleError' | 'alpha' | 's', Float64Array> & { variance: number } => {
      const folder = shared(`reference/${design}`);
      const inOrder = (table: Table, names: readonly string[], name: string): Float64Array => {
        const [row, values] = [new Map(table.names.map((gene, i) => [gene, i])), table.column(name)];
        return Float64Array.from(names, (gene) => values[row.get(gene) ?? -1] ?? NaN);
      };
      const shrunk = readTable(`${folder}/lfc_apeglm.csv.gz`);
      const mle = readTable(`${folder}/results_nofilter_nocooks.csv.gz`);
      const control = readFileSync(`${folder}/apeglm_prior_control.txt`, 'utf8');
      return {
        lfc: inOrder(shrunk, genes, 'log2FoldChange'),
        error: inOrder(shrunk, genes, 'lfcSE'),
        mle: inOrder(mle, genes, 'log2FoldChange'),
        mleError: inOrder(mle, genes, 'lfcSE'),
        alpha: inOrder(readTable(`${folder}/gene_stats.csv.gz`), genes, 'dispersion'),
        s: inOrder(readTable(`${folder}/size_factors.csv`), samples, 'ratio'),
        variance: Number(/\$prior\.var\s+\[1\] (\S+)/.exec(control)?.[1]),
      };
    };

    it.each(['pasilla_condition', 'pasilla_type_condition'])(
      'estimates the prior of %s as R, to R’s tolerance',
      (design) => {
        const { mle, mleError, variance } = read(design);
        const scale = estimatePriorScale(mle, mleError);
        process.stdout.write(
          `${design}: prior variance ${(scale ** 2).toPrecision(8)}, R ${variance.toPrecision(8)}\n`,
        );
        // R's uniroot stops at .Machine$double.eps^0.25.
        expect(Math.abs(scale ** 2 - variance)).toBeLessThan(2 ** -13);
      },
    );

    it('agrees with R for ~condition, from measures', () => {
      const { lfc, error, alpha, s, variance } = read('pasilla_condition');
      const groupAt = (label: string): Group => {
        const members = samples.flatMap((name, i) => (name.startsWith(label) ? [i] : []));
        return {
          counts: genes.map((_, gene) => Float64Array.from(members, (i) => columns[i][gene])),
          sizeFactors: Float64Array.from(members, (i) => s[i]),
        };
      };
      const groups = [groupAt('untreated'), groupAt('treated')] as const;
      const scale = Math.sqrt(variance);
      const dispersions = alpha.map((value) => (value >= 0 ? value : 1));
      const shrunk = shrink(groups, dispersions, scale);
      const tested = genes.flatMap((_, gene) => (Number.isFinite(lfc[gene]) ? [gene] : []));
      expect(tested.length).toBeGreaterThan(12_000);
      const gains: number[] = [];
      const gaps: number[] = [];
      const ratios: number[] = [];
      for (const gene of tested) {
        const [mine, its] = [shrunk.log2FoldChangeShrunk[gene] * Math.LN2, lfc[gene] * Math.LN2];
        const here = profileAt(groups, gene, dispersions[gene], scale, mine);
        gains.push(here.logPosterior - profileAt(groups, gene, dispersions[gene], scale, its).logPosterior);
        gaps.push(Math.abs(mine - its));
        if (Math.abs(mine - its) < 1e-4) ratios.push(standardErrorOfR(here, mine, scale) / Math.LN2 / error[gene]);
      }
      const r = correlation(
        tested.map((gene) => shrunk.log2FoldChangeShrunk[gene]),
        tested.map((gene) => lfc[gene]),
      );
      process.stdout.write(
        `pasilla ~condition: ${tested.length} genes, r ${r.toFixed(8)}, |Δ| median ${median(gaps).toExponential(1)} max ${Math.max(...gaps).toExponential(1)}, ` +
          `gain ${Math.min(...gains).toExponential(1)} to ${Math.max(...gains).toExponential(1)}, SE ratio of ${ratios.length}: ${Math.min(...ratios).toFixed(5)} to ${Math.max(...ratios).toFixed(5)}, ` +
          `two modes ${shrunk.twoModes.reduce((x, y) => x + y, 0)}\n`,
      );
      // Theirs is nowhere the better mode. It stops before the top on genes with many counts, and where there are two tops
      // it is at times on the lower one; without those r is what it should be.
      expect(Math.min(...gains)).toBeGreaterThan(-1e-8);
      const [one, two] = [0, 1].map((n) => tested.flatMap((gene, i) => (shrunk.twoModes[gene] === n ? [i] : [])));
      expect(two.length).toBeLessThan(10);
      expect(Math.max(...one.map((i) => gains[i]))).toBeLessThan(0.01);
      expect(Math.max(...one.map((i) => gaps[i]))).toBeLessThan(0.02);
      const ofOne = (values: ArrayLike<number>): number[] => one.map((i) => values[tested[i]]);
      const rOfOne = correlation(ofOne(shrunk.log2FoldChangeShrunk), ofOne(lfc));
      process.stdout.write(`  without ${two.length} genes of two modes: r ${rOfOne.toFixed(8)}\n`);
      expect(rOfOne).toBeGreaterThan(0.9999);
      for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(2e-3);
    });

    it('agrees with R for ~type+condition, by sums over samples', () => {
      const { lfc, error, alpha, s, variance, mle } = read('pasilla_type_condition');
      const table = readTable(shared('reference/pasilla_type_condition/design_matrix.csv'));
      const design = ['(Intercept)', 'typesingle.read', 'conditiontreated'].map((name) => table.column(name));
      const tested = genes.flatMap((_, gene) => (Number.isFinite(lfc[gene]) ? [gene] : []));
      const genesOf = tested.map((gene) => {
        const counts = samples.map((_, i) => columns[i][gene]);
        const priorScale = Math.sqrt(variance);
        const model = { counts, sizeFactors: s, design, dispersion: alpha[gene], coefficient: 2, priorScale };
        const mode = shrinkCoefficientDirect(model, [mle[gene] * Math.LN2, 0]);
        const height = profileCoefficientDirect(model, lfc[gene] * Math.LN2).logPosterior;
        return {
          ours: mode.coefficients[2] / Math.LN2,
          theirs: lfc[gene],
          gain: mode.logPosterior - height,
          ratio: mode.standardError / Math.LN2 / error[gene],
        };
      });
      const gap = (gene: { ours: number; theirs: number }): number => Math.abs(gene.ours - gene.theirs);
      const far = genesOf.filter((gene) => gap(gene) > 0.05);
      const same = genesOf.filter((gene) => gap(gene) <= 0.05);
      const r = (of: typeof genesOf): number =>
        correlation(
          of.map((gene) => gene.ours),
          of.map((gene) => gene.theirs),
        );
      const ratios = same.filter((gene) => gap(gene) < 1e-4).map((gene) => gene.ratio);
      process.stdout.write(
        `pasilla ~type+condition: ${tested.length} genes, r ${r(genesOf).toFixed(8)}, without ${far.length} genes where R is on a lower mode (gain ${Math.min(...far.map((gene) => gene.gain)).toFixed(3)} to ` +
          `${Math.max(...far.map((gene) => gene.gain)).toFixed(3)}) ${r(same).toFixed(8)}, their |Δ| median ${median(same.map(gap)).toExponential(1)} max ${Math.max(...same.map(gap)).toExponential(1)}, ` +
          `SE ratio of ${ratios.length}: ${Math.min(...ratios).toFixed(5)} to ${Math.max(...ratios).toFixed(5)}\n`,
      );
      expect(far.length).toBeLessThan(10);
      for (const { gain } of far) expect(gain).toBeGreaterThan(0.001);
      expect(Math.min(...genesOf.map((gene) => gene.gain))).toBeGreaterThan(-1e-7);
      expect(r(same)).toBeGreaterThan(0.9999);
      for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(2e-3);
    });
  });
});
