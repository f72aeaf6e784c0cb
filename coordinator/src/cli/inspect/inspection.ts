import type { ColumnSummary, MatrixSummary } from '@shardex/shared/h5ad';
import type { ScaleVerdict } from './judge-scale.js';

export interface InspectedMatrix extends MatrixSummary {
  /** Stored values per element. */
  readonly density: number;
  /** null where the values could not be read; `problems` says why. */
  readonly verdict: ScaleVerdict | null;
}

export interface InspectedColumn extends ColumnSummary {
  /** Different labels that occur; null for columns that hold none. */
  readonly labelCount: number | null;
  /** Cells without a value; null where that was not read. */
  readonly missing: number | null;
}

/** A column that may hold the perturbations, with the labels in it that look like controls. */
export interface DesignCandidate {
  readonly column: string;
  readonly perturbations: number;
  readonly controls: readonly { readonly label: string; readonly cells: number }[];
}

/** What `shardex inspect` says of a file. */
export interface Inspection {
  readonly path: string;
  readonly sizeBytes: number;
  /** "anndata 0.1.0"; empty in old files. */
  readonly encoding: string;
  readonly cells: number;
  readonly genes: number;
  readonly matrices: readonly InspectedMatrix[];
  readonly obsColumns: readonly InspectedColumn[];
  readonly varColumns: readonly ColumnSummary[];
  /** What `shardex de` would use when not told otherwise; null when it would ask. */
  readonly design: {
    readonly perturbationColumn: string;
    readonly controlLabel: string;
    readonly controlCells: number;
    readonly perturbations: number;
    /** Median number of cells of a perturbation. */
    readonly medianCells: number;
  } | null;
  readonly candidates: readonly DesignCandidate[];
  /** One sentence each; empty when nothing was found. */
  readonly problems: readonly string[];
}
