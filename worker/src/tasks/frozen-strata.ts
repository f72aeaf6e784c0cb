import type { BundleArray, BundleReader, ControlSummary } from '@shardex/shared/artifacts';
import type { NodeSet } from '@shardex/shared/kernels';
import type { StratumMeasures } from '@shardex/shared/stats';
import type { StrataMeasures } from './strata-measures.js';

/**
 * Arrays of a `control` output with categorical covariates (g genes, T strata): `strataCells` u32 T, `strataN` f64 T × K,
 * `strataS` f64 T × g × K, `strataCounts` f64 T × g (Σ y), `strataSquares` f64 T × g × K (with robust standard errors).
 */
export function strataArrays(measures: StrataMeasures): Record<string, BundleArray> {
  const { nGenes } = measures;
  const cells = measures.cells();
  const strata = measures.measures();
  const nNodes = strata.find((one) => one !== null)?.nNodes ?? 0;
  const gather = (perStratum: number, of: (one: StratumMeasures) => Float64Array): Float64Array => {
    const all = new Float64Array(strata.length * perStratum);
    strata.forEach((one, s) => one !== null && all.set(of(one), s * perStratum));
    return all;
  };
  return {
    strataCells: cells,
    strataN: gather(nNodes, ({ N }) => N),
    strataS: gather(nGenes * nNodes, ({ S }) => S),
    strataCounts: gather(nGenes, ({ sumCounts }) => sumCounts),
    ...(strata.some((one) => one !== null && one.squares !== null)
      ? { strataSquares: gather(nGenes * nNodes, ({ squares }) => squares ?? new Float64Array(0)) }
      : {}),
  };
}

/**
 * The control's measures of genes [geneBegin, geneEnd) in each stratum, null without cells; outside the heap.
 *
 * @param chunks - control outputs in gene order
 */
export async function readFrozenStrata(
  chunks: readonly BundleReader<ControlSummary>[],
  nodes: NodeSet,
  geneBegin: number,
  geneEnd: number,
): Promise<(StratumMeasures | null)[]> {
  const K = nodes.count;
  const nGenes = geneEnd - geneBegin;
  const cells = await chunks[0].u32('strataCells');
  const N = await chunks[0].f64('strataN');
  const withSquares = chunks[0].has('strataSquares');
  const strata = Array.from(cells, (nCells, s): StratumMeasures | null =>
    nCells === 0
      ? null
      : {
          nGenes,
          nNodes: K,
          nCells,
          N: N.subarray(s * K, (s + 1) * K),
          S: new Float64Array(nGenes * K),
          sumCounts: new Float64Array(nGenes),
          squares: withSquares ? new Float64Array(nGenes * K) : null,
        },
  );
  for (const chunk of chunks) {
    const begin = Math.max(geneBegin, chunk.meta.geneBegin);
    const end = Math.min(geneEnd, chunk.meta.geneEnd);
    if (begin >= end) continue;
    const ofChunk = chunk.meta.geneEnd - chunk.meta.geneBegin;
    for (const [s, stratum] of strata.entries()) {
      if (stratum === null) continue;
      const from = s * ofChunk + begin - chunk.meta.geneBegin;
      const to = from + end - begin;
      const at = begin - geneBegin;
      stratum.sumCounts.set(await chunk.f64('strataCounts', from, to), at);
      stratum.S.set(await chunk.f64('strataS', from * K, to * K), at * K);
      stratum.squares?.set(await chunk.f64('strataSquares', from * K, to * K), at * K);
    }
  }
  return strata;
}
