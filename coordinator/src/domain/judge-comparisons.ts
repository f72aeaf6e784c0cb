import type { CellDesign } from '@shardex/shared/artifacts';
import { InvalidInputError } from '@shardex/shared/errors';
import { strataDesign } from '@shardex/shared/stats';

/** Enough to recognise what is going on, few enough to read. */
const SHOWN = 5;

const listed = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '');

/**
 * Says which comparisons with the control the categorical covariates leave without an answer.
 *
 * @param groupLabels - control first
 * @param groupCells - kept cells of each group in each stratum, groups × strata; a group without cells is not compared
 * @returns one sentence for each set of columns a perturbation is collinear with, and for each set whose levels alias
 * @throws InvalidInputError when no comparison is left
 */
export function judgeComparisons(
  { categorical, strata }: CellDesign,
  groupLabels: readonly string[],
  groupCells: Uint32Array,
): readonly string[] {
  if (categorical.length === 0) return [];
  const cellsOf = (group: number): Uint32Array =>
    groupCells.subarray(group * strata.length, (group + 1) * strata.length);
  const columnsOf = (factors: readonly number[]): string => factors.map((c) => `"${categorical[c].name}"`).join(', ');
  const collinear = new Map<string, string[]>();
  const aliased = new Map<string, string[]>();
  const note = (kind: Map<string, string[]>, columns: string, label: string): void => {
    kind.set(columns, [...(kind.get(columns) ?? []), label]);
  };
  let compared = 0;
  groupLabels.forEach((label, group) => {
    if (group === 0 || cellsOf(group).every((n) => n === 0)) return;
    compared++;
    const design = strataDesign(strata, cellsOf(0), cellsOf(group));
    if (design.collinearWith.length > 0) note(collinear, columnsOf(design.collinearWith), label);
    else if (design.aliased.length > 0) note(aliased, columnsOf(design.aliased), label);
  });
  const lost = [...collinear.values()].reduce((n, labels) => n + labels.length, 0);
  if (compared > 0 && lost === compared) {
    throw new InvalidInputError(`every perturbation is collinear with ${[...collinear.keys()].join(' or ')}`, {
      hint: 'no level of that column holds both control and perturbed cells; leave the column out',
    });
  }
  return [
    ...[...collinear].map(
      ([columns, labels]) =>
        `${labels.length === 1 ? 'perturbation' : 'perturbations'} ${listed(labels)}: collinear with ${columns}, ` +
        'so the NB-GLM has no answer (status collinear-design)',
    ),
    ...[...aliased].map(
      ([columns, labels]) =>
        `among the cells of ${listed(labels)} and the control, some levels of ${columns} cannot be told from other ` +
        'covariates and have no coefficient of their own; the fold change is the same',
    ),
  ];
}
