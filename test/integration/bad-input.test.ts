import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type h5wasm from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shardex, type CliOutcome } from '../support/shardex.js';
import { writeSmallH5ad, type SmallH5ad } from '../support/small-h5ad.js';

type Hdf5File = InstanceType<typeof h5wasm.File>;

/** Counts of 12 cells × 6 genes, none of them empty. */
const COUNTS = Array.from({ length: 12 }, (_, cell) =>
  Array.from({ length: 6 }, (_, gene) => 1 + ((cell * 3 + gene * 5) % 4)),
);
/** Control and one more than HDF5 can describe as fields of one record. */
const MANY = Array.from({ length: 1101 }, (_, cell) => (cell === 0 ? 'control' : `perturbation-${cell}`));

interface BadRun {
  readonly name: string;
  /** How the one sentence begins, after "shardex: "; IN, OUT and DIR stand for the paths. */
  readonly says: string;
  /** Further options, separated by blanks; IN, OUT and DIR likewise. */
  readonly options?: string;
  /** Makes DIR/in.h5ad and whatever else there is; default: a good file. */
  readonly make?: (folder: string) => Promise<void>;
}

const file =
  (how: SmallH5ad = {}, counts: readonly (readonly number[])[] = COUNTS) =>
  (folder: string): Promise<void> =>
    writeSmallH5ad(join(folder, 'in.h5ad'), counts, 6, how);
const good = file();
const holding = (value: number) =>
  file(
    {},
    COUNTS.map((row, cell) => (cell === 2 ? [1, value, ...row.slice(2)] : row)),
  );
const sizeFactor = (third: number) => file({ columns: { sf: COUNTS.map((_, cell) => (cell === 2 ? third : 1)) } });
const breakIndices = (h5: Hdf5File): void => {
  (h5.get('X/indices') as InstanceType<typeof h5wasm.Dataset>).write_slice([[0, 1]], Int32Array.of(99));
};
const withFile = (name: string) => async (folder: string) => {
  await good(folder);
  await writeFile(join(folder, name), 'something');
};
const withResults = async (folder: string): Promise<void> => {
  await good(folder);
  await mkdir(join(folder, 'out'));
  await writeFile(join(folder, 'out', 'run.json'), '{}');
};

const FILES: readonly BadRun[] = [
  {
    name: 'no such file',
    make: () => Promise.resolve(),
    says: 'opening IN: no such file or directory: check the path',
  },
  {
    name: 'a folder',
    make: async (dir) => void (await mkdir(join(dir, 'in.h5ad'))),
    says: 'IN is a folder: name a file',
  },
  {
    name: 'a file that is not HDF5',
    make: (dir) => writeFile(join(dir, 'in.h5ad'), 'gene,count\n'.repeat(99)),
    says: 'IN is not an HDF5 file: give an .h5ad file as written by anndata',
  },
  { name: 'an empty file', make: (dir) => writeFile(join(dir, 'in.h5ad'), ''), says: 'IN is not an HDF5 file' },
  {
    name: 'a truncated file',
    make: (dir) => good(dir).then(() => truncate(join(dir, 'in.h5ad'), 9000)),
    says: 'IN is truncated: it should be',
  },
  { name: 'a file without X', make: file({ storage: 'none' }), says: 'IN has no X: the file holds no matrix at all' },
  {
    name: 'an X that is a link into another file',
    make: file({ storage: 'none', amend: (h5) => void h5.create_external_link('/etc/passwd', '/X', 'X') }),
    says: 'IN: X lies in another file, /etc/passwd: read and write the file once with anndata',
  },
  {
    name: 'indices out of range',
    make: file({ compression: null, amend: breakIndices }),
    says: 'IN is damaged: row 0 of X has a column index that is negative or not below 6',
  },
  {
    name: 'indices out of range that only the scan sees',
    make: file({ compression: null, amend: breakIndices }),
    options: '--input-scale counts',
    says: 'stage scan failed: IN is damaged: row 0 of X has a column index',
  },
  {
    name: 'no genes',
    make: (dir) =>
      writeSmallH5ad(
        join(dir, 'in.h5ad'),
        COUNTS.map(() => []),
        0,
      ),
    says: 'IN: X has 12 cells and 0 genes: there is nothing to test',
  },
  {
    name: 'nothing but control cells',
    make: file({ labels: COUNTS.map(() => 'control') }),
    options: '--perturbation-column perturbation --control-label control',
    says: 'every labelled cell of column "perturbation" is a control cell',
  },
  {
    name: 'no counts at all',
    make: file(
      {},
      COUNTS.map((row) => row.map(() => 0)),
    ),
    says: 'stage size-factors failed: no cell of the control "control" is left after the cell filters',
  },
];

const VALUES: readonly BadRun[] = [
  { name: 'a negative count', make: holding(-3), says: 'IN: X does not hold counts: cell 3, gene 2 is -3: choose' },
  { name: 'NaN', make: holding(NaN), says: 'IN: X does not hold counts: cell 3, gene 2 is NaN: choose' },
  {
    name: 'an infinite count',
    make: holding(Infinity),
    says: 'IN: X does not hold counts: cell 3, gene 2 is Infinity',
  },
  {
    name: 'fractions without a declared scale',
    make: holding(0.5),
    says: 'IN: X does not hold counts: cell 3, gene 2 is 0.5: choose the matrix of raw counts with --layer, or declare',
  },
  ...[-3, NaN, 0.5, 2 ** 40].map((value) => ({
    name: `${value} among declared counts`,
    make: holding(value),
    options: '--input-scale counts',
    says: `stage scan failed: cell 3, gene 2 of IN holds ${
      Number.isNaN(value) ? 'NaN' : value < 0 ? `the negative value ${value}` : `the value ${value}`
    }, which is not a count: choose`,
  })),
  ...[-0.5, NaN].map((value) => ({
    name: `${value} on the log1p scale`,
    make: holding(value),
    options: '--input-scale log1p',
    says: `stage scan failed: cell 3, gene 2 of IN holds ${
      value < 0 ? `the negative value ${value}` : 'NaN'
    }, which is not on the log1p scale`,
  })),
  {
    name: 'a size factor of 0',
    make: sizeFactor(0),
    options: '--size-factors obs:sf',
    says: 'stage size-factors failed: column "sf" of cell 3 is 0, and a size factor has to be positive',
  },
];

const OPTIONS: readonly BadRun[] = [
  { name: 'an unknown option', options: '--tets x', says: "unknown option '--tets': did you mean --tests?" },
  { name: 'an unknown test', options: '--tests anova', says: '--tests: unknown test "anova": valid are' },
  {
    name: 'a wrong perturbation column',
    options: '--perturbation-column nope',
    says: 'IN has no obs column "nope": choose one of perturbation',
  },
  {
    name: 'an unknown control',
    options: '--perturbation-column perturbation --control-label nope',
    says: 'column "perturbation" has no cell labelled "nope": name the control with --control-label',
  },
  {
    name: 'an unknown perturbation',
    options: '--perturbations a,zz',
    says: 'column "perturbation" has no cell labelled "zz": choose --perturbations among a',
  },
  { name: 'an unknown layer', options: '--layer zz', says: 'IN has no layers/zz: it holds X; choose with --layer' },
  { name: 'the NB-GLM of log1p', options: '--input-scale log1p --tests nb-glm', says: '--tests nb-glm needs counts' },
  {
    name: 'a missing column of size factors',
    options: '--size-factors obs:nope',
    says: 'IN has no obs column "nope": choose one of perturbation',
  },
  {
    name: 'size factors that are text',
    make: file({ columns: { sf: COUNTS.map(() => 'x') } }),
    options: '--size-factors obs:sf',
    says: 'obs column "sf" is string, not numeric',
  },
  {
    name: 'too little memory',
    options: '--memory 16MiB',
    says: '--memory 16MiB is less than a worker needs: give each',
  },
  {
    name: 'more perturbations than --scanpy can hold',
    make: file(
      { labels: MANY },
      MANY.map(() => COUNTS[0]),
    ),
    options: '--scanpy --perturbation-column perturbation --control-label control',
    says: '--scanpy cannot hold 1100 perturbations: HDF5 takes about 900 in one table: leave it out, or',
  },
];

const PLACES: readonly BadRun[] = [
  {
    name: 'an output that is a file',
    make: withFile('out'),
    says: 'OUT is a file, not a folder: choose another place',
  },
  {
    name: 'an output below a file',
    make: withFile('f'),
    options: '--out DIR/f/out',
    says: 'DIR/f is a file, not a folder',
  },
  { name: 'the input as output', options: '--out IN', says: 'IN is a file, not a folder' },
  {
    name: 'an output that cannot be made',
    options: '--out /proc/none/out',
    says: 'the folder /proc/none cannot be made',
  },
  {
    name: 'a scratch that is a file',
    make: withFile('f'),
    options: '--scratch DIR/f',
    says: 'DIR/f is a file, not a folder',
  },
  {
    name: 'a scratch that cannot be made',
    options: '--scratch /proc/none',
    says: 'the folder /proc/none cannot be made',
  },
  { name: 'one file for output and scratch', options: '--out IN --scratch IN', says: 'IN is a file, not a folder' },
  {
    name: 'results that are there already',
    make: withResults,
    says: 'OUT already holds results (run.json): choose another --out, replace them with --force, or continue',
  },
  {
    name: 'both --force and --resume',
    options: '--force --resume',
    says: '--force and --resume contradict each other',
  },
];

/** Everything below a folder. */
const contentOf = async (folder: string): Promise<string[]> => (await readdir(folder, { recursive: true })).sort();

describe('bad input ends with exit code 2, one sentence, and nothing written', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'shardex-test-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const run = async ({ name, make = good, options = '', says }: BadRun): Promise<void> => {
    const folder = await mkdtemp(join(root, 'case-'));
    const paths: Record<string, string> = { IN: join(folder, 'in.h5ad'), OUT: join(folder, 'out'), DIR: folder };
    const named = (text: string): string => text.replace(/\b(IN|OUT|DIR)\b/g, (word) => paths[word]);
    await make(folder);
    const before = await contentOf(folder);
    const words = named(options).split(' ').filter(Boolean);
    const output = words.includes('--out') ? [] : ['--out', paths['OUT']];
    const outcome = await shardex(['de', paths['IN'], '--workers', '1', '--quiet', ...output, ...words]);
    expect(outcome.stderr, name).toMatch(/^[^\n]+\n$/);
    expect(outcome.stderr.slice(0, `shardex: ${named(says)}`.length), name).toBe(`shardex: ${named(says)}`);
    expect(outcome, name).toMatchObject({ exitCode: 2, stdout: '' });
    expect(await contentOf(folder), name).toEqual(before);
  };

  it.concurrent.each(FILES)('for $name', run);
  it.concurrent.each(VALUES)('for $name', run);
  it.concurrent.each(OPTIONS)('for $name', run);
  it.concurrent.each(PLACES)('for $name', run);
});

describe('what is in the way of a run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    await good(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const de = (output: string, ...options: string[]): Promise<CliOutcome> =>
    shardex([
      'de',
      join(folder, 'in.h5ad'),
      '--out',
      output,
      '--workers',
      '1',
      '--quiet',
      '--tests',
      't-test',
      ...options,
    ]);

  it('is swept when it is a file that a killed run left half-written, and nothing else is', async () => {
    const output = join(folder, 'swept');
    await mkdir(output);
    await writeFile(join(output, '.wilcoxon.h5ad.8c9e0d0e-0000-4000-8000-000000000000.partial'), 'half');
    await writeFile(join(output, '.mine.partial'), 'mine');
    expect(await de(output)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await contentOf(output)).toEqual(['.mine.partial', 'cells.parquet', 'run.json', 't_test.h5ad']);
  });

  it('is a full scratch disk: exit code 1, the disk by name, and no results', async (context) => {
    const scratch = join(folder, 'small-disk');
    await mkdir(scratch);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', scratch], { stdio: 'ignore' });
    } catch {
      const reason = 'a small tmpfs cannot be mounted here';
      process.stderr.write(`skipped "a full scratch disk": ${reason}\n`);
      context.skip(reason);
    }
    try {
      const output = join(folder, 'full');
      const { exitCode, stderr } = await de(output, '--scratch', scratch);
      expect(stderr).toMatch(/^shardex: [^\n]+\n$/);
      expect(stderr).toContain(scratch);
      expect(stderr).toContain('the disk is full: free some space or choose another place with --scratch');
      expect(exitCode).toBe(1);
      expect(await contentOf(folder)).not.toContain('full/run.json');
      expect(await readdir(output).catch(() => [])).toEqual([]);
    } finally {
      execFileSync('umount', [scratch]);
    }
  });
});
