import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { InvariantBrokenError } from '@shardex/shared/errors';
import {
  CellSimulator,
  createSimulationModel,
  type SimulatedCells,
  type SimulationParameters,
} from '@shardex/shared/stats';
import type { CellRange } from './simulate-thread.js';

const THREAD = new URL('./simulate-thread.js', import.meta.url);
/** Cells × genes of a block: a few MB of counts, some tenths of a second. */
const BLOCK_ENTRIES = 4_000_000;
/** A thread always has its next block waiting. */
const BLOCKS_PER_THREAD = 2;

export interface SimulateBlocksOptions {
  readonly threads: number;
  /** Cells of a block; default: as many as make 4 million entries. */
  readonly blockCells?: number;
  /** Compiled `simulate-thread`. */
  readonly threadUrl?: URL;
}

/**
 * Draws all cells in file order, in blocks. The numbers depend neither on the number of threads nor on the block size,
 * because every cell has a random stream of its own. At most two blocks a thread are held.
 *
 * Where the compiled thread does not exist (tests that run the sources) the blocks are drawn in this thread.
 */
export async function* simulateBlocks(
  parameters: SimulationParameters,
  { threads, blockCells, threadUrl = THREAD }: SimulateBlocksOptions,
): AsyncGenerator<SimulatedCells> {
  const ranges = cellRanges(
    parameters.nCells,
    blockCells ?? Math.max(1, Math.floor(BLOCK_ENTRIES / parameters.nGenes)),
  );
  if (!existsSync(fileURLToPath(threadUrl))) {
    const simulator = new CellSimulator(createSimulationModel(parameters));
    for (const { begin, end } of ranges) yield simulator.simulate(begin, end);
    return;
  }
  const pool = Array.from(
    { length: Math.min(threads, ranges.length) },
    () => new SimulationThread(threadUrl, parameters),
  );
  try {
    const waiting: Promise<SimulatedCells>[] = [];
    for (const [i, range] of ranges.entries()) {
      const block = pool[i % pool.length].simulate(range);
      // A failure is reported where the block is awaited, which may be several blocks later.
      block.catch(() => undefined);
      waiting.push(block);
      if (waiting.length === pool.length * BLOCKS_PER_THREAD) yield await (waiting.shift() as Promise<SimulatedCells>);
    }
    for (const block of waiting) yield await block;
  } finally {
    await Promise.all(pool.map((thread) => thread.end()));
  }
}

function cellRanges(nCells: number, blockCells: number): CellRange[] {
  const nBlocks = Math.ceil(nCells / blockCells);
  return Array.from({ length: nBlocks }, (_, i) => ({
    begin: i * blockCells,
    end: Math.min(nCells, (i + 1) * blockCells),
  }));
}

/** A thread that answers requests in the order they were made. */
class SimulationThread {
  private readonly worker: Worker;
  private readonly requests: Request[] = [];

  constructor(url: URL, parameters: SimulationParameters) {
    this.worker = new Worker(url, { workerData: parameters });
    this.worker.on('message', (cells: SimulatedCells) => this.requests.shift()?.resolve(cells));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', (code) => this.fail(`exit code ${code}`));
  }

  simulate(range: CellRange): Promise<SimulatedCells> {
    return new Promise((resolve, reject) => {
      this.requests.push({ resolve, reject });
      this.worker.postMessage(range);
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private fail(cause: Error | string): void {
    const reason = typeof cause === 'string' ? cause : cause.message;
    const error = new InvariantBrokenError(`a thread of the simulator ended: ${reason}`, { cause });
    for (const { reject } of this.requests.splice(0)) reject(error);
  }
}

interface Request {
  readonly resolve: (cells: SimulatedCells) => void;
  readonly reject: (error: Error) => void;
}
