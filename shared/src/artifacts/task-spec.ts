/**
 * The work of one task, by value. A task reads the job's context and earlier stages' artifacts from scratch and commits
 * its own output there; running it twice, anywhere, commits the same bytes.
 *
 * - `scan`: rows [rowBegin, rowEnd) of the file → totals, gene counts, rows regrouped by perturbation
 * - `ratios`: rows of one scan output → median of ratios of each cell
 * - `control`: genes [geneBegin, geneEnd) of the control cells → frozen control statistics
 * - `dispersion`: groups [groupBegin, groupEnd) (0 = control) → sums of profile slopes at the dispersion grid
 * - `fit`: groups [groupBegin, groupEnd) (1 and up) → every test's result rows
 * - `shrink`: the perturbations of one fit output → their shrunken fold changes
 */
export type TaskSpec =
  | { readonly kind: 'scan'; readonly rowBegin: number; readonly rowEnd: number }
  | { readonly kind: 'ratios'; readonly scan: number }
  | { readonly kind: 'control'; readonly geneBegin: number; readonly geneEnd: number }
  | { readonly kind: 'dispersion'; readonly groupBegin: number; readonly groupEnd: number }
  | { readonly kind: 'fit'; readonly groupBegin: number; readonly groupEnd: number }
  | { readonly kind: 'shrink'; readonly fit: number };

export type TaskKind = TaskSpec['kind'];

/** What a finished task reports; the numbers feed `run.json`, the progress display and the metrics. */
export interface TaskReport {
  /** Name of the committed object, relative to the job's scratch store. */
  readonly output: string;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly nonzeros: number;
  readonly fits: number;
  readonly warnings: readonly string[];
}

/** Where a worker finds the job: everything else is in the context object there. */
export interface TaskAssignment {
  readonly scratchUri: string;
  readonly spec: TaskSpec;
  /** Name under which the output has to be committed. */
  readonly output: string;
  /** Upper bound of the memory the task may plan with, in bytes. */
  readonly memoryBytes: number;
}
