/**
 * Names by which screens call the column of perturbations and the label of control cells.
 *
 * @source our own survey: the obs columns of scPerturb, of the Weissman and Satija labs' releases and of 10x Genomics'
 *   feature-barcode output; it covers every name crispyx 0.2.2 knows, and asks where crispyx would take the first
 */

/** Letters and digits only, lower case: "Non-Targeting_1" → "nontargeting1". */
export const squeeze = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Names of columns, squeezed, from the most telling group to the least. A group is tried only if those before it have no candidate. */
const COLUMN_NAME_GROUPS: readonly (readonly string[])[] = [
  [
    'perturbation',
    'perturbations',
    'perturbationlabel',
    'perturbationname',
    'perturbed',
    'perturbedgene',
    'perturbedgenes',
  ],
  [
    'target',
    'targets',
    'targetgene',
    'targetgenes',
    'targetgenename',
    'targetedgene',
    'genetarget',
    'gene',
    'genes',
    'genename',
    'genesymbol',
    'knockout',
    'knockdown',
    'ko',
  ],
  [
    'guide',
    'guides',
    'guideid',
    'guidename',
    'guideidentity',
    'guidecall',
    'sgrna',
    'sgrnaid',
    'sgrnaname',
    'sgrnas',
    'grna',
    'grnaid',
    'sgid',
    'featurecall',
  ],
  ['condition', 'conditions', 'treatment', 'treatments', 'stim', 'stimulation', 'drug', 'compound'],
];

/** Position of the group a column's name belongs to, or the number of groups when it is in none. */
export function columnNameGroup(name: string): number {
  const squeezed = squeeze(name);
  const group = COLUMN_NAME_GROUPS.findIndex((names) => names.includes(squeezed));
  return group < 0 ? COLUMN_NAME_GROUPS.length : group;
}

export const COLUMN_NAME_GROUP_COUNT = COLUMN_NAME_GROUPS.length;

/** Whole labels, squeezed, that say "control" by convention of genetic screens. */
const CONTROL_LABELS: ReadonlySet<string> = new Set([
  'nt',
  'ntc',
  'ntcs',
  'sgnt',
  'sgntc',
  'nontargeted',
  'neg',
  'negative',
  'negctl',
  'ctl',
  'scr',
  'scramble',
  'scrambled',
  'sgscramble',
  'safe',
  'safeharbor',
  'safeharbour',
]);

/** Parts of squeezed labels that no gene symbol contains ("ctrl" is one: CTRL, chymotrypsin-like, is caught by asking). */
const CONTROL_PARTS: readonly string[] = [
  'nontarget',
  'control',
  'ctrl',
  'scramble',
  'safetarget',
  'negctl',
  'intergenic',
];

/** Whole labels, squeezed, that mean "control" where nothing better is there. */
const BASELINE_LABELS: ReadonlySet<string> = new Set([
  'unperturbed',
  'untreated',
  'unstimulated',
  'uninfected',
  'vehicle',
  'dmso',
  'mock',
  'wt',
  'wildtype',
  'baseline',
  'parental',
]);

/** How well a label says that its cells are controls. */
export function controlStrength(label: string): 'control' | 'baseline' | 'none' {
  const squeezed = squeeze(label);
  if (CONTROL_LABELS.has(squeezed) || CONTROL_PARTS.some((part) => squeezed.includes(part))) return 'control';
  return BASELINE_LABELS.has(squeezed) ? 'baseline' : 'none';
}

/** Labels that look like controls: those of genetic screens, or, where there are none, those that mean "untouched". */
export function controlCandidates(labels: readonly string[]): string[] {
  const controls = labels.filter((label) => controlStrength(label) === 'control');
  return controls.length > 0 ? controls : labels.filter((label) => controlStrength(label) === 'baseline');
}
