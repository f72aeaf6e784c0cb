import { parentPort, workerData } from 'node:worker_threads';
import { CellSimulator, createSimulationModel, type SimulationParameters } from '@shardex/shared/stats';

/** A range of cells that the main thread asks for. */
export interface CellRange {
  readonly begin: number;
  readonly end: number;
}

// Every thread draws the model again from its parameters: quicker than copying it, and the same bits.
const simulator = new CellSimulator(createSimulationModel(workerData as SimulationParameters));

parentPort?.on('message', ({ begin, end }: CellRange) => {
  const cells = simulator.simulate(begin, end);
  const buffers = [cells.indices, cells.values, cells.rowNnz].map((array) => array.buffer as ArrayBuffer);
  parentPort?.postMessage(cells, buffers);
});
