import { describe, expect, it } from 'vitest';
import { describeWithPeers, runPeerScript } from '../../../test/support/peers.js';
import { InvalidInputError } from '../errors/index.js';
import { countLabels, detectDesign, type DesignColumn, type DesignRequest } from './detect-design.js';

const labels = (name: string, counts: Readonly<Record<string, number>>): DesignColumn => ({
  name,
  kind: 'label',
  labels: Object.entries(counts).map(([label, cells]) => ({ label, cells })),
});
const numbers = (name: string): DesignColumn => ({ name, kind: 'number', labels: [] });
const nothing: DesignRequest = { perturbationColumn: null, controlLabel: null };

const sentenceOf = (columns: readonly DesignColumn[], request: Partial<DesignRequest> = {}): string => {
  try {
    detectDesign(columns, { ...nothing, ...request });
  } catch (error) {
    if (error instanceof InvalidInputError) return error.sentence;
    throw error;
  }
  return 'nothing was refused';
};

/** The obs of published screens, with the cell counts made small. */
const SCREENS: readonly {
  readonly what: string;
  readonly columns: readonly DesignColumn[];
  readonly design: readonly [string, string];
}[] = [
  {
    what: 'Papalexi 2021: targets with NT, guides NTg1, NTg2',
    columns: [
      labels('perturbation', { NT: 9, IFNGR1: 5, STAT1: 4 }),
      labels('guide_id', { NTg1: 5, NTg2: 4, IFNGR1g1: 5, STAT1g1: 4 }),
      labels('bio_rep', { rep_1: 9, rep_2: 9 }),
    ],
    design: ['perturbation', 'NT'],
  },
  {
    what: 'Datlinger 2021: the control is in both the target and the guide column',
    columns: [
      labels('sample', { M10: 6, C24: 5 }),
      labels('guide', { DOK2_1: 4, DOK2_2: 3, control: 4 }),
      labels('tcr', { stimulated: 6, unstimulated: 5 }),
      numbers('ncounts'),
      labels('perturbation', { DOK2: 7, control: 4 }),
    ],
    design: ['perturbation', 'control'],
  },
  {
    what: 'Kang 2018: ctrl against stim',
    columns: [labels('condition', { ctrl: 4, stim: 4 })],
    design: ['condition', 'ctrl'],
  },
  {
    what: 'Replogle 2022: gene and sgRNA columns, non-targeting',
    columns: [
      labels('gem_group', { '1': 4, '2': 4 }),
      labels('gene', { AAAS: 4, 'non-targeting': 4 }),
      labels('sgID_AB', { a: 4, b: 4 }),
    ],
    design: ['gene', 'non-targeting'],
  },
  {
    what: 'a column of another name with one clear control',
    columns: [labels('batch', { one: 4, two: 4 }), labels('assignment', { 'Non Targeting': 4, TP53: 4 })],
    design: ['assignment', 'Non Targeting'],
  },
  { what: 'a drug screen against DMSO', columns: [labels('drug', { DMSO: 4, nutlin: 4 })], design: ['drug', 'DMSO'] },
  {
    what: 'safe-targeting guides',
    columns: [labels('Target Gene', { 'safe-targeting': 4, TP53: 4 })],
    design: ['Target Gene', 'safe-targeting'],
  },
  {
    what: 'negative control',
    columns: [labels('target_gene', { 'Negative control': 4, TP53: 4 })],
    design: ['target_gene', 'Negative control'],
  },
];

describe('finding the design', () => {
  it.each(SCREENS)('takes the only columns and labels that fit: $what', ({ columns, design }) => {
    const found = detectDesign(columns, nothing);
    expect([found.perturbationColumn, found.controlLabel]).toEqual(design);
    expect(found.detected).toHaveLength(2);
  });

  it('says nothing aloud when both are given', () => {
    expect(detectDesign(SCREENS[0].columns, { perturbationColumn: 'guide_id', controlLabel: 'NTg1' })).toEqual({
      perturbationColumn: 'guide_id',
      controlLabel: 'NTg1',
      controlCells: 5,
      perturbationCount: 3,
      detected: [],
    });
  });

  it('says aloud what it detected, with counts', () => {
    expect(detectDesign(SCREENS[0].columns, nothing).detected).toEqual([
      'detected perturbation column "perturbation" (2 perturbations)',
      'detected control label "NT" (9 cells)',
    ]);
  });

  it('finds the column by the control label that is given', () => {
    const columns = [labels('gene', { A: 4, B: 4 }), labels('guide', { g1: 4, mine: 4 })];
    expect(detectDesign(columns, { ...nothing, controlLabel: 'mine' }).perturbationColumn).toBe('guide');
  });

  it.each<readonly [string, readonly DesignColumn[], Partial<DesignRequest>, string]>([
    [
      'two columns of equally telling names',
      [labels('gene', { A: 4, control: 4 }), labels('target', { A: 4, control: 4 })],
      {},
      'several columns of obs may hold the perturbations, "gene" and "target": name the right one with --perturbation-column',
    ],
    [
      'the gene CTRL beside non-targeting controls (Huang et al.)',
      [labels('gene', { CTRL: 4, 'Non-Targeting': 4, A: 4 })],
      {},
      'several labels of column "gene" look like a control, "CTRL" and "Non-Targeting": name the right one with --control-label',
    ],
    [
      'no label that looks like a control',
      [labels('perturbation', { A: 4, B: 4 })],
      {},
      'no label of "perturbation" in obs looks like a control: name the control cells\' label with --control-label; labels of "perturbation" are "A" and "B"',
    ],
    [
      'no label that looks like a control in the column that is given',
      [labels('perturbation', { A: 4, B: 4 })],
      { perturbationColumn: 'perturbation' },
      'no label of column "perturbation" looks like a control: name it with --control-label; its labels are "A" and "B"',
    ],
    [
      'a column that is not there',
      [labels('perturbation', { A: 4, control: 4 })],
      { perturbationColumn: 'pertrubation' },
      'obs has no column "pertrubation": did you mean "perturbation"?',
    ],
    [
      'a column of numbers',
      [numbers('n_counts')],
      { perturbationColumn: 'n_counts' },
      'column "n_counts" of obs holds numbers, not labels: name a column of strings or categories with --perturbation-column',
    ],
    [
      'a control label that is not there',
      [labels('perturbation', { A: 4, 'non-targeting': 4 })],
      { controlLabel: 'NTC', perturbationColumn: 'perturbation' },
      'column "perturbation" of obs has no cell labelled "NTC": its labels that look like controls are "non-targeting"',
    ],
    [
      'a control label that no column has',
      [labels('perturbation', { A: 4, 'non-targeting': 4 })],
      { controlLabel: 'NTC' },
      'no column of obs has the control label "NTC": in "perturbation", "non-targeting" looks like a control',
    ],
    [
      'a control label that no column has, where nothing looks like one',
      [labels('perturbation', { A: 4, B: 4 })],
      { controlLabel: 'NTC' },
      'no column of obs has the control label "NTC": name the column with --perturbation-column; obs has "perturbation"',
    ],
    [
      'no columns',
      [],
      {},
      'no column of obs looks like perturbations with a control: obs has no column of labels; add one to the file',
    ],
    [
      'barcodes, one label a cell',
      [labels('guide', { control: 1, B: 1 })],
      {},
      'no column of obs looks like perturbations with a control: obs has no column of labels; add one to the file',
    ],
    [
      'cells that are all controls',
      [labels('perturbation', { control: 8 })],
      { perturbationColumn: 'perturbation' },
      'all labelled cells of column "perturbation" are "control": a comparison needs at least one other label',
    ],
  ])('refuses %s', (_what, columns, request, sentence) => {
    expect(sentenceOf(columns, request)).toBe(sentence);
  });

  it('does not take gene symbols that contain the letters of a control label for controls', () => {
    const genes = { KNTC1: 4, NTN1: 4, CTRB1: 4, SCRIB: 4, SAFB: 4, NEGR1: 4, MOCOS: 4, WT1: 4, CTLA4: 4, control: 4 };
    expect(detectDesign([labels('gene', genes)], nothing).controlLabel).toBe('control');
  });

  it('counts labels in order of first appearance and leaves out cells without one', () => {
    expect(countLabels(Int32Array.of(2, -1, 0, 2), ['a', 'b', 'c'])).toEqual([
      { label: 'c', cells: 2 },
      { label: 'a', cells: 1 },
    ]);
  });
});

const PEER_SCRIPT = `
import json, sys, tempfile, os, logging
logging.disable(logging.CRITICAL)
import anndata, numpy, pandas
from crispyx.data import detect_perturbation_column, resolve_control_label
answers = []
for columns in json.loads(sys.argv[1]):
    size = max(sum(each["cells"] for each in column["labels"]) for column in columns)
    obs = {}
    for column in columns:
        values = [each["label"] for each in column["labels"] for _ in range(each["cells"])]
        obs[column["name"]] = pandas.Categorical((values * size)[:size]) if values else numpy.arange(size)
    table = anndata.AnnData(numpy.zeros((size, 1), "f4"), obs=pandas.DataFrame(obs, index=[f"c{i}" for i in range(size)]))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "screen.h5ad")
        table.write_h5ad(path)
        column = detect_perturbation_column(path, verbose=False)
        try:
            label = resolve_control_label(list(table.obs[column].astype(str)), None, verbose=False)
        except ValueError:
            label = None
    answers.append([column, label])
json.dump(answers, sys.stdout)
`;
describeWithPeers('finding the design, beside crispyx', (python) => {
  it('agrees with crispyx but where crispyx takes the first of several columns with the same score', async () => {
    const tables = JSON.stringify(SCREENS.map(({ columns }) => columns));
    const answers = await runPeerScript<readonly (readonly [string, string | null])[]>(python, PEER_SCRIPT, [tables]);
    const differences = SCREENS.map(({ what, design }, index) => ({
      what,
      ours: design,
      peers: answers[index],
    })).filter(({ ours, peers }) => ours[0] !== peers[0] || (peers[1] !== null && ours[1] !== peers[1]));
    expect(differences).toEqual([
      { what: SCREENS[1].what, ours: ['perturbation', 'control'], peers: ['guide', 'control'] },
      { what: SCREENS[4].what, ours: ['assignment', 'Non Targeting'], peers: ['batch', null] },
    ]);
  });
});
