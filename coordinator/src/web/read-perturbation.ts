import type { ResultFile } from '../cli/index.js';
import { assemblePerturbation, SHOWN_LAYERS } from './assemble-perturbation.js';
import type { PerturbationResults } from './result-shapes.js';

/**
 * One perturbation of a result file, for plots and a table.
 *
 * @param limit - genes to give at most, chosen so that plots keep their shape; null: every gene, in the order of the file
 * @throws InvalidInputError when the perturbation was not tested
 */
export type ReadPerturbation = (perturbation: string, limit: number | null) => Promise<PerturbationResults>;

/** Opens what all perturbations of a file need: reading one then costs its own rows only. */
export async function openPerturbations(file: ResultFile): Promise<ReadPerturbation> {
  const layers = await file.openLayers(SHOWN_LAYERS.filter((name) => file.layers.includes(name)));
  return async (perturbation, limit) => {
    const row = file.rowOf(perturbation);
    return assemblePerturbation(file, perturbation, await file.readRows(layers, row, row + 1), limit);
  };
}
