import { InvalidInputError } from '@shardex/shared/errors';

/** Every cell's part in the comparison. */
export interface Design {
  /** Per cell: −1 takes no part, 0 control, 1 … P perturbation. */
  readonly group: Int32Array;
  /** [control, perturbation 1, …], perturbations in order of first appearance. */
  readonly labels: readonly string[];
  /** Cells per group. */
  readonly cells: Uint32Array;
  /** Cells without a label. */
  readonly unlabelled: number;
  /** Cells whose perturbation was not asked for. */
  readonly notSelected: number;
}

/** Enough candidates to recognise a typing error, few enough to read. */
const SHOWN_LABELS = 8;

const listed = (labels: readonly string[]): string =>
  labels.slice(0, SHOWN_LABELS).join(', ') + (labels.length > SHOWN_LABELS ? ', …' : '');

/**
 * Sorts the cells into control and perturbations.
 *
 * @param codes - per cell, index into `labels` or −1 where the label is missing
 * @param labels - the column's labels; an empty string counts as missing
 * @param control - label of the control cells
 * @param selected - the perturbations to test, null for all
 * @param column - name of the column, for messages
 * @throws InvalidInputError for an unknown control or perturbation, or when nothing is left to compare
 */
export function resolveDesign(
  codes: Int32Array,
  labels: readonly string[],
  control: string,
  selected: readonly string[] | null,
  column: string,
): Design {
  const present = new Uint32Array(labels.length);
  for (const code of codes) if (code >= 0) present[code]++;
  const known = new Set(labels.filter((label, i) => present[i] > 0 && label !== ''));
  if (!known.has(control)) {
    throw new InvalidInputError(`column "${column}" has no cell labelled "${control}"`, {
      hint: `name the control with --control-label; the labels are ${listed([...known])}`,
    });
  }
  const unknown = (selected ?? []).filter((label) => !known.has(label));
  if (unknown.length > 0) {
    throw new InvalidInputError(`column "${column}" has no cell labelled ${unknown.map((l) => `"${l}"`).join(', ')}`, {
      hint: `choose --perturbations among ${listed([...known].filter((label) => label !== control))}`,
    });
  }
  if (selected?.includes(control)) {
    throw new InvalidInputError(`"${control}" is the control and cannot be one of --perturbations`, {
      hint: 'leave it out of the list',
    });
  }
  const wanted = selected === null ? null : new Set(selected);
  // Group of each label: the control is 0, the rest are numbered as they appear; −2 marks labels that were not selected.
  const groupOfLabel = new Int32Array(labels.length).fill(-1);
  const groupLabels = [control];
  const group = new Int32Array(codes.length);
  let unlabelled = 0;
  let notSelected = 0;
  for (let cell = 0; cell < codes.length; cell++) {
    const code = codes[cell];
    const label = code < 0 ? '' : labels[code];
    if (label === '') {
      group[cell] = -1;
      unlabelled++;
    } else if (label === control) {
      group[cell] = 0;
    } else if (wanted !== null && !wanted.has(label)) {
      group[cell] = -1;
      notSelected++;
    } else {
      if (groupOfLabel[code] < 0) {
        groupOfLabel[code] = groupLabels.length;
        groupLabels.push(label);
      }
      group[cell] = groupOfLabel[code];
    }
  }
  if (groupLabels.length === 1) {
    throw new InvalidInputError(`every labelled cell of column "${column}" is a control cell`, {
      hint: 'check --perturbation-column and --control-label',
    });
  }
  const cells = new Uint32Array(groupLabels.length);
  for (const g of group) if (g >= 0) cells[g]++;
  return { group, labels: groupLabels, cells, unlabelled, notSelected };
}

/** The design without its control cells: they take no part, as cells of perturbations that were not asked for. */
export function withoutControl(design: Design): Design {
  return {
    ...design,
    group: design.group.map((group) => (group === 0 ? -1 : group)),
    cells: design.cells.map((cells, group) => (group === 0 ? 0 : cells)),
  };
}
