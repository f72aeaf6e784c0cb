import type { NodeSet } from '@shardex/shared/kernels';
import type { CellFactors } from './job-data.js';

/** The nodes the size-factors stage chose for this job. */
export function nodeSetOf(factors: CellFactors): NodeSet {
  return { ...factors.summary.nodes, sizeFactors: factors.nodeSizeFactors };
}
