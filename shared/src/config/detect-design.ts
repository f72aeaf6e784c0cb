import { InvalidInputError } from '../errors/index.js';
import { COLUMN_NAME_GROUP_COUNT, columnNameGroup, controlCandidates } from './design-names.js';
import { listNames, suggestName } from './suggest.js';

/** A column of obs as far as finding the design goes. */
export interface DesignColumn {
  readonly name: string;
  /** `label`: categories or strings; `number`: integers, floats, booleans; `unreadable`: anything else. */
  readonly kind: 'label' | 'number' | 'unreadable';
  /** Labels that occur, in order of first appearance, with their numbers of cells. May be empty for numbers. */
  readonly labels: readonly { readonly label: string; readonly cells: number }[];
}

/** What the user said; null: find it. */
export interface DesignRequest {
  readonly perturbationColumn: string | null;
  readonly controlLabel: string | null;
}

export interface Design {
  readonly perturbationColumn: string;
  readonly controlLabel: string;
  readonly controlCells: number;
  /** Labels other than the control. */
  readonly perturbationCount: number;
  /** Sentences to say aloud: one for each thing that was detected, none when both were given. */
  readonly detected: readonly string[];
}

/**
 * Labels that occur, in order of first appearance, with their numbers of cells.
 *
 * @param codes - per cell the position in `labels`, negative where the cell has none
 * @param labels - an empty one counts as none
 */
export function countLabels(codes: ArrayLike<number>, labels: readonly string[]): { label: string; cells: number }[] {
  const cells = new Map<number, number>();
  for (let cell = 0; cell < codes.length; cell++) {
    if (codes[cell] >= 0) cells.set(codes[cell], (cells.get(codes[cell]) ?? 0) + 1);
  }
  return [...cells].map(([code, count]) => ({ label: labels[code], cells: count })).filter(({ label }) => label !== '');
}

const labelsOf = (column: DesignColumn): string[] => column.labels.map(({ label }) => label);

/** Labels that divide the cells: at least two, and not one a cell. */
function groupsCells(column: DesignColumn): boolean {
  return column.kind === 'label' && column.labels.length >= 2 && column.labels.some(({ cells }) => cells >= 2);
}

/**
 * Columns that may hold the perturbations, of the most telling group of names that has any.
 *
 * A column qualifies when it has the control label that was given, or, when none was, a label that looks like a control.
 */
export function perturbationColumnCandidates(
  columns: readonly DesignColumn[],
  controlLabel: string | null,
): DesignColumn[] {
  const hasControl = (column: DesignColumn): boolean =>
    controlLabel === null ? controlCandidates(labelsOf(column)).length > 0 : labelsOf(column).includes(controlLabel);
  const qualified = columns.filter((column) => groupsCells(column) && hasControl(column));
  for (let group = 0; group <= COLUMN_NAME_GROUP_COUNT; group++) {
    const candidates = qualified.filter((column) => columnNameGroup(column.name) === group);
    if (candidates.length > 0) return candidates;
  }
  return [];
}

function givenColumn(columns: readonly DesignColumn[], name: string): DesignColumn {
  const column = columns.find((each) => each.name === name);
  if (column === undefined) {
    const names = columns.map((each) => each.name);
    const near = suggestName(name, names);
    throw new InvalidInputError(`obs has no column "${name}"`, {
      hint:
        near !== null
          ? `did you mean "${near}"?`
          : names.length === 0
            ? 'obs has no columns at all'
            : `it has ${listNames(names)}`,
    });
  }
  if (column.kind !== 'label') {
    throw new InvalidInputError(
      `column "${name}" of obs holds ${column.kind === 'number' ? 'numbers' : 'values that cannot be read'}, not labels`,
      {
        hint: 'name a column of strings or categories with --perturbation-column',
      },
    );
  }
  return column;
}

function detectedColumn(columns: readonly DesignColumn[], controlLabel: string | null): DesignColumn {
  const candidates = perturbationColumnCandidates(columns, controlLabel);
  if (candidates.length === 1) return candidates[0];
  if (candidates.length > 1) {
    throw new InvalidInputError(
      `several columns of obs may hold the perturbations, ${listNames(candidates.map((column) => column.name))}`,
      { hint: 'name the right one with --perturbation-column' },
    );
  }
  const labelled = columns.filter(groupsCells);
  const named = labelled.filter((column) => columnNameGroup(column.name) < COLUMN_NAME_GROUP_COUNT);
  if (named.length > 0 && controlLabel === null) {
    throw new InvalidInputError(
      `no label of ${listNames(named.map((column) => column.name))} in obs looks like a control`,
      {
        hint: `name the control cells' label with --control-label; labels of "${named[0].name}" are ${listNames(labelsOf(named[0]))}`,
      },
    );
  }
  const what =
    controlLabel === null ? 'looks like perturbations with a control' : `has the control label "${controlLabel}"`;
  // A label that is not there is most often another spelling of one that is.
  const others = controlLabel === null ? [] : perturbationColumnCandidates(columns, null);
  if (others.length === 1) {
    throw new InvalidInputError(`no column of obs ${what}`, {
      hint: `in "${others[0].name}", ${listNames(controlCandidates(labelsOf(others[0])))} looks like a control`,
    });
  }
  throw new InvalidInputError(`no column of obs ${what}`, {
    hint:
      labelled.length === 0
        ? 'obs has no column of labels; add one to the file'
        : `name the column with --perturbation-column; obs has ${listNames(labelled.map((column) => column.name))}`,
  });
}

function givenControl(column: DesignColumn, label: string): string {
  const labels = labelsOf(column);
  if (labels.includes(label)) return label;
  const near = suggestName(label, labels);
  const candidates = controlCandidates(labels);
  throw new InvalidInputError(`column "${column.name}" of obs has no cell labelled "${label}"`, {
    hint:
      near !== null
        ? `did you mean "${near}"?`
        : `its labels ${candidates.length > 0 ? 'that look like controls ' : ''}are ${listNames(candidates.length > 0 ? candidates : labels)}`,
  });
}

function detectedControl(column: DesignColumn): string {
  const labels = labelsOf(column);
  const candidates = controlCandidates(labels);
  if (candidates.length === 1) return candidates[0];
  if (candidates.length > 1) {
    throw new InvalidInputError(
      `several labels of column "${column.name}" look like a control, ${listNames(candidates)}`,
      { hint: 'name the right one with --control-label' },
    );
  }
  throw new InvalidInputError(`no label of column "${column.name}" looks like a control`, {
    hint: `name it with --control-label; its labels are ${listNames(labels)}`,
  });
}

/**
 * The column of perturbations and the label of control cells: as given, otherwise the only ones that fit.
 *
 * Names and labels are compared without case and punctuation against a table of conventions. Nothing is guessed: two
 * columns of equally telling names, or two labels that look like controls, are an error that names them.
 *
 * @param columns - columns of obs; labels are needed of every column when `perturbationColumn` is null, of that one otherwise
 * @throws InvalidInputError one sentence that lists the candidates
 */
export function detectDesign(columns: readonly DesignColumn[], request: DesignRequest): Design {
  const isColumnGiven = request.perturbationColumn !== null;
  const column =
    request.perturbationColumn !== null
      ? givenColumn(columns, request.perturbationColumn)
      : detectedColumn(columns, request.controlLabel);
  const controlLabel =
    request.controlLabel !== null ? givenControl(column, request.controlLabel) : detectedControl(column);
  const perturbationCount = column.labels.length - 1;
  if (perturbationCount === 0) {
    throw new InvalidInputError(`all labelled cells of column "${column.name}" are "${controlLabel}"`, {
      hint: 'a comparison needs at least one other label',
    });
  }
  const controlCells = column.labels.find(({ label }) => label === controlLabel)?.cells ?? 0;
  const detected: string[] = [];
  if (!isColumnGiven)
    detected.push(`detected perturbation column "${column.name}" (${perturbationCount} perturbations)`);
  if (request.controlLabel === null) detected.push(`detected control label "${controlLabel}" (${controlCells} cells)`);
  return { perturbationColumn: column.name, controlLabel, controlCells, perturbationCount, detected };
}
