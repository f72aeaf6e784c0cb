import { setFlagsFromString } from 'node:v8';
import type { JobContext } from '@shardex/shared/artifacts';

/** From such a size on, what it costs is a hundredth of the job. */
const LARGE_CELLS = 200_000;
const LARGE_PAIRS = 10_000_000;

/**
 * From a large job on, all threads of this process collect what nobody needs any more while it is little. By itself the
 * engine lets some hundred MB of it pile up in each. The price is seconds of the job: 5 for a million cells' names.
 */
export function favourMemory({ nCells, nGenes, groupLabels }: JobContext): void {
  const isLarge = nCells >= LARGE_CELLS || groupLabels.length * nGenes >= LARGE_PAIRS;
  // Looked at whenever the engine decides how far a heap may grow; nothing else depends on it once threads run.
  if (isLarge) setFlagsFromString('--optimize-for-size');
}
