/** Keeps the ratio finite when one arm is empty. @source scanpy 1.11.5, `rank_genes_groups` */
const PSEUDOCOUNT = 1e-9;

/**
 * log2 of the ratio of two arms' mean normalised expression, log2((m₁ + 1e-9) / (m₂ + 1e-9)); 0 where both arms are empty.
 *
 * scanpy puts expm1 of the mean log expression where this has the mean expression itself: give it
 * `Math.expm1(meanLog)` to get scanpy's number.
 */
export function logFoldChange(mean: number, controlMean: number): number {
  return Math.log2((mean + PSEUDOCOUNT) / (controlMean + PSEUDOCOUNT));
}
