import { resultLayers } from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { UnsDict } from '@shardex/shared/h5ad';
import type { FitOutputs } from './fit-outputs.js';
import type { ReductionScope } from './scratch.js';
import { readBlock } from './fit-blocks.js';
import type { ScreenWide } from './screen-tally.js';

interface RankedGroup {
  readonly names: string[];
  readonly scores: Float32Array;
  readonly logFoldChanges: Float32Array;
  readonly pValues: Float64Array;
  readonly adjusted: Float64Array;
}

/**
 * `uns/rank_genes_groups` as scanpy's plots and `sc.get.rank_genes_groups_df` read it: per perturbation, genes by descending
 * score. All of it is held in memory, about 40 bytes a (perturbation, gene).
 *
 * @source scanpy 1.11.5, `rank_genes_groups`
 */
export class RankedGenes {
  private constructor(
    private readonly scope: ReductionScope,
    private readonly test: TestName,
    private readonly groups: ReadonlyMap<string, RankedGroup>,
  ) {}

  static async collect(
    scope: ReductionScope,
    test: TestName,
    fits: FitOutputs,
    adjust: ScreenWide,
  ): Promise<RankedGenes> {
    const { nGenes, geneNames, groupLabels } = scope.context;
    const effect = test === 'nb-glm' ? 'X' : 'logfoldchanges';
    const layers = resultLayers(test, { layers: 'default', shrink: 'none', reference: 'control' }).filter(({ name }) =>
      ['z_score', effect, 'pvalue', 'pvalue_adj'].includes(name),
    );
    const groups = new Map<string, RankedGroup>();
    for (const block of fits.blocks) {
      const arrays = await readBlock(scope, test, layers, block, adjust);
      for (let row = block.rowBegin; row < block.rowEnd; row++) {
        const at = (row - block.rowBegin) * nGenes;
        const scores = (arrays.get('z_score') as Float32Array).subarray(at, at + nGenes);
        // Genes that were not tested come last, in the file's order.
        const key = (gene: number): number => (Number.isNaN(scores[gene]) ? -Infinity : scores[gene]);
        const order = Uint32Array.from({ length: nGenes }, (_, gene) => gene).sort((a, b) => key(b) - key(a) || a - b);
        const pick = <A extends Float32Array | Float64Array>(name: string): A => {
          const values = (arrays.get(name) as A).subarray(at, at + nGenes);
          return values.map((_, i) => values[order[i]]) as A;
        };
        groups.set(groupLabels[fits.groups[row]], {
          names: Array.from(order, (gene) => geneNames[gene]),
          scores: pick<Float32Array>('z_score'),
          logFoldChanges: pick<Float32Array>(effect),
          pValues: pick<Float64Array>('pvalue'),
          adjusted: pick<Float64Array>('pvalue_adj'),
        });
      }
    }
    return new RankedGenes(scope, test, groups);
  }

  toUns(): UnsDict {
    const { parameters, groupLabels } = this.scope.context;
    const fields = <Value>(of: (group: RankedGroup) => Value): Record<string, Value> =>
      Object.fromEntries([...this.groups].map(([label, group]) => [label, of(group)]));
    return {
      params: {
        groupby: parameters.perturbationColumn,
        // To scanpy's readers everything but a label is the rest.
        reference: parameters.reference === 'control' ? groupLabels[0] : 'rest',
        method: this.test === 'nb-glm' ? 'nb_glm' : this.test,
        use_raw: false,
        corr_method: parameters.correction === 'bonferroni' ? 'bonferroni' : 'benjamini-hochberg',
      },
      names: { kind: 'rec-array', fields: fields((group) => group.names) },
      scores: { kind: 'rec-array', fields: fields((group) => group.scores) },
      logfoldchanges: { kind: 'rec-array', fields: fields((group) => group.logFoldChanges) },
      pvals: { kind: 'rec-array', fields: fields((group) => group.pValues) },
      pvals_adj: { kind: 'rec-array', fields: fields((group) => group.adjusted) },
    };
  }
}
