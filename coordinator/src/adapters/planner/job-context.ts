import { encodeBundle, SCRATCH_NAMES, type JobContext } from '@shardex/shared/artifacts';
import { packMatrixDescriptor } from '@shardex/shared/h5ad';
import type { ObjectStore } from '@shardex/shared/storage';
import type { ResolvedInput } from './read-input.js';

/** The version that is written to results and decides whether a run can be resumed. */
export const PRODUCT_VERSION = '0.1.0';

/** What every task of a job needs to know. */
export function contextOf(input: ResolvedInput): JobContext {
  const { json, arrays } = packMatrixDescriptor(input.descriptor);
  return {
    version: PRODUCT_VERSION,
    parameters: input.parameters,
    inputScale: input.inputScale,
    nCells: input.descriptor.nRows,
    nGenes: input.descriptor.nColumns,
    groupLabels: input.design.labels,
    design: input.covariates.design,
    inputVersion: input.metadata.version,
    inputBytes: input.metadata.sizeBytes,
    cellNamesAddress: input.metadata.obsNamesAddress,
    geneNames: input.metadata.varNames ?? [],
    warnings: input.warnings,
    matrix: {
      json,
      arrays: Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, dtypeOf(array)])),
    },
  };
}

const dtypeOf = (array: Float64Array | Uint32Array | Uint8Array): 'f64' | 'u32' | 'u8' =>
  array instanceof Float64Array ? 'f64' : array instanceof Uint32Array ? 'u32' : 'u8';

/** Puts it on scratch, with the arrays that belong to it. */
export async function commitContext(store: ObjectStore, input: ResolvedInput, context: JobContext): Promise<void> {
  const { arrays } = packMatrixDescriptor(input.descriptor);
  const matrix = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`matrix/${name}`, array]));
  const { stratum, batch, covariates } = input.covariates;
  const optional = Object.entries({ givenSizeFactor: input.givenSizeFactors, stratum, batch, covariates });
  const present = Object.fromEntries(
    optional.filter((entry): entry is [string, Float64Array | Int32Array] => entry[1] !== null),
  );
  await store.commit(
    SCRATCH_NAMES.context,
    encodeBundle(context, { group: input.design.group, ...present, ...matrix }),
  );
}

/** Everything that results depend on: a run with another identity has another scratch folder. */
export const identityOf = ({ version, parameters, inputVersion }: JobContext): string =>
  JSON.stringify({ version, parameters, inputVersion });
