import {
  fitArrayName,
  resultLayers,
  SCRATCH_NAMES,
  type FitSummary,
  type JobContext,
  type ResultLayer,
  type SizeFactorSummary,
} from '@shardex/shared/artifacts';
import type { TestName } from '@shardex/shared/config';
import type { FittedParts } from '../../domain/index.js';
import { isFitted } from './fit-blocks.js';
import { controlMeanOf, readFrozen, type FrozenSummary } from './frozen-summary.js';
import { openScope, withArtifact, type ReductionScope } from './scratch.js';

/** Rows of some layers, one array a layer, row-major. */
type Rows = ReadonlyMap<string, Float64Array>;

/** A comparison that is done: where its row is. */
export interface FittedPlace {
  readonly output: string;
  readonly row: number;
  readonly cells: number;
}

/**
 * The comparisons that a running job has finished, read from scratch by whoever wants to look. Nothing is kept open or
 * written, so the job notices nothing; an object that is gone is a ResultLostError of the reader alone.
 */
export class FittedComparisons {
  private constructor(
    private readonly scope: ReductionScope,
    private readonly frozen: FrozenSummary,
    /** Perturbations that the filters have kept. */
    readonly perturbations: number,
  ) {}

  /** Reads what all comparisons share: names, and the control's genes. */
  static async open({ scratchUri, outputs }: FittedParts): Promise<FittedComparisons> {
    const nothing = (): void => undefined;
    const scope = await openScope(
      scratchUri,
      outputs,
      nothing,
      () => false,
      async () => undefined,
    );
    const groupKept = await withArtifact<SizeFactorSummary, Uint8Array>(
      scope.store,
      SCRATCH_NAMES.sizeFactors,
      (reader) => reader.u8('groupKept'),
    );
    const kept = groupKept.subarray(1).reduce((sum, isKept) => sum + isKept, 0);
    return new FittedComparisons(scope, await readFrozen(scope), kept);
  }

  get genes(): readonly string[] {
    return this.scope.context.geneNames;
  }

  get parameters(): JobContext['parameters'] {
    return this.scope.context.parameters;
  }

  /** Layers of the results, those that only the end of the job makes left out. */
  layersOf(test: TestName): readonly ResultLayer[] {
    return resultLayers(test, this.parameters).filter(isFitted);
  }

  /** What result files have of the control in `var`; null with another reference. */
  ofControl(test: TestName, name: 'control_mean' | 'pts_rest'): Float64Array | null {
    const { control } = this.frozen;
    if (control === null) return null;
    return Float64Array.from(name === 'pts_rest' ? control.ptsRest : controlMeanOf(test, control));
  }

  /** The perturbations of one `fit` output, in the order of its rows. */
  placesOf(output: string): Promise<(readonly [perturbation: string, place: FittedPlace])[]> {
    const { groupLabels } = this.scope.context;
    return withArtifact<FitSummary, (readonly [string, FittedPlace])[]>(this.scope.store, output, ({ meta }) =>
      Promise.resolve(
        meta.groups.map((group, row) => [groupLabels[group], { output, row, cells: meta.cells[row] }] as const),
      ),
    );
  }

  /** Rows [rowBegin, rowEnd) of an output; reads no others but for the checksums' blocks. */
  readRows(
    output: string,
    test: TestName,
    layers: readonly ResultLayer[],
    rowBegin: number,
    rowEnd: number,
  ): Promise<Rows> {
    const { nGenes } = this.scope.context;
    const [begin, end] = [rowBegin * nGenes, rowEnd * nGenes];
    return withArtifact<FitSummary, Rows>(this.scope.store, output, async (reader) => {
      const rows = new Map<string, Float64Array>();
      for (const { name, dtype } of layers)
        rows.set(name, Float64Array.from(await reader[dtype](fitArrayName(test, name), begin, end)));
      return rows;
    });
  }
}
