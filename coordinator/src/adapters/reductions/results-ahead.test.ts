import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ComparisonTrend } from '@shardex/shared/artifacts';
import type { DeParameters } from '@shardex/shared/config';
import { H5adFileWriter } from '@shardex/shared/h5ad';
import { FittedScratch, NO_HISTORY } from './testing/fitted-scratch.js';
import { reduceMerge } from './merge.js';
import { ResultFiles } from './result-files.js';
import { ResultsAhead } from './results-ahead.js';

let folder: string;
let runs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const place = (): string => join(folder, `${++runs}`);
const always = (): boolean => true;
const hidden = async ({ output }: FittedScratch): Promise<string[]> =>
  (await readdir(output)).filter((name) => name.endsWith('.partial'));

/** SHA-256 of every result file, which are all there is in the folder. */
async function bytesOf({ output }: FittedScratch): Promise<Record<string, string>> {
  const names = (await readdir(output)).sort();
  expect(names).toContain('run.json');
  const entries = names
    .filter((name) => name !== 'run.json')
    .map(async (name) => {
      const bytes = await readFile(join(output, name));
      return [name, createHash('sha256').update(bytes).digest('hex')] as const;
    });
  return Object.fromEntries(await Promise.all(entries));
}

/** The fits as they were cut in the end. */
const commitAll = (scratch: FittedScratch): Promise<string[]> =>
  Promise.all([
    scratch.commitFit(1, 3),
    // Group 3 was dropped: it has no row.
    scratch.commitFit(3, 4),
    scratch.commitFit(4, 6),
    scratch.commitFit(6, 8),
  ]);

/** Merges what some fits' rows were written of before. */
async function merged(
  parameters: Partial<DeParameters>,
  writeAhead: (files: ResultFiles, scratch: FittedScratch, fits: readonly string[]) => Promise<void>,
  trendOf: ((group: number) => ComparisonTrend) | null = null,
): Promise<Record<string, string>> {
  const scratch = await FittedScratch.make(place(), parameters, trendOf);
  const files = await ResultFiles.open(await scratch.scope([]));
  const fits = await commitAll(scratch);
  await writeAhead(files, scratch, fits);
  await reduceMerge(await scratch.scope(fits), NO_HISTORY, files);
  return bytesOf(scratch);
}

/** Merges with nothing written before. */
async function mergedAlone(
  parameters: Partial<DeParameters>,
  trendOf: ((group: number) => ComparisonTrend) | null = null,
): Promise<Record<string, string>> {
  const scratch = await FittedScratch.make(place(), parameters, trendOf);
  await reduceMerge(await scratch.scope(await commitAll(scratch)), NO_HISTORY, null);
  return bytesOf(scratch);
}

const VARIANTS: readonly (readonly [string, Partial<DeParameters>])[] = [
  ['as it is by default', {}],
  ['in every format, with what scanpy reads', { formats: ['h5ad', 'csv', 'parquet'], scanpy: true, layers: 'crispyx' }],
  ['by Bonferroni, as CSV only', { correction: 'bonferroni', formats: ['csv'] }],
];

describe.each(VARIANTS)('results %s', (_, parameters) => {
  let expected: Record<string, string>;
  beforeAll(async () => {
    expected = await mergedAlone(parameters);
  });

  it.each([
    { which: 'all of them', order: [0, 1, 2, 3] },
    { which: 'all of them, the last first', order: [3, 2, 1, 0] },
    { which: 'some of them', order: [2] },
    { which: 'one of them twice', order: [2, 0, 2] },
    { which: 'none of them', order: [] },
  ])('are the same bytes with the rows of fits written ahead: $which', async ({ order }) => {
    const bytes = await merged(parameters, async (files, scratch, fits) => {
      for (const i of order) await files.add(await scratch.scope([]), fits[i], always);
    });
    expect(bytes).toEqual(expected);
  });

  it('are the same bytes when a fit was split after its rows were written, or joined', async () => {
    const bytes = await merged(parameters, async (files, scratch) => {
      for (const [begin, end] of [
        [7, 8],
        [2, 5],
      ] as const)
        await files.add(await scratch.scope([]), await scratch.commitFit(begin, end), always);
    });
    expect(bytes).toEqual(expected);
  });
});

describe('a file whose description turns out longer than was foretold', () => {
  it('has all its rows written again, to the same bytes', async () => {
    const trendOf = (group: number): ComparisonTrend => {
      return { trendKind: `t${group}`.repeat(3000), trendCoefficients: [], priorVariance: group };
    };
    const parameters = { dispersionScope: 'per-comparison', tests: ['nb-glm'] } as const;
    const describing = vi.spyOn(H5adFileWriter.prototype, 'describe');
    const addAll = async (files: ResultFiles, scratch: FittedScratch, fits: readonly string[]): Promise<void> => {
      for (const name of fits) await files.add(await scratch.scope([]), name, always);
    };
    const bytes = await merged(parameters, addAll, trendOf);
    expect(await Promise.all(describing.mock.results.map(({ value }) => value as Promise<boolean>))).toEqual([false]);
    describing.mockRestore();
    expect(bytes).toEqual(await mergedAlone(parameters, trendOf));
  });

  it('is the exception: rows stay in place with what scanpy reads, and with trends of each comparison', async () => {
    const usual: ComparisonTrend = { trendKind: 'mean', trendCoefficients: [], priorVariance: 1 };
    const describing = vi.spyOn(H5adFileWriter.prototype, 'describe');
    await mergedAlone({ scanpy: true, shrink: 'none', dispersionScope: 'per-comparison' }, () => usual);
    const inPlace = await Promise.all(describing.mock.results.map(({ value }) => value as Promise<boolean>));
    describing.mockRestore();
    expect(inPlace).toEqual([true, true, true]);
  });
});

describe('results ahead of their merge', () => {
  const giveUp = vi.fn();
  afterEach(() => giveUp.mockClear());
  const begin = (scratch: FittedScratch): ResultsAhead =>
    new ResultsAhead((isCancelled) => scratch.scope([], isCancelled), giveUp);

  it('are handed to the merge with what they were told of', async () => {
    const scratch = await FittedScratch.make(place());
    const ahead = begin(scratch);
    const fits = await commitAll(scratch);
    for (const name of fits) ahead.add(name);
    const files = await ahead.take(() => false);
    expect(files).not.toBeNull();
    expect(giveUp).not.toHaveBeenCalled();
    await reduceMerge(await scratch.scope(fits), NO_HISTORY, files);
    expect(await bytesOf(scratch)).toEqual(await mergedAlone({}));
  });

  it('are given up when a fit output is lost, and the merge makes the same bytes', async () => {
    const scratch = await FittedScratch.make(place());
    const ahead = begin(scratch);
    await vi.waitFor(async () => expect(await hidden(scratch)).toHaveLength(4));
    const fits = await commitAll(scratch);
    ahead.add(fits[0]);
    ahead.add('fit/lost.bundle');
    await vi.waitFor(async () => expect(await hidden(scratch)).toEqual([]));
    ahead.add(fits[3]);
    ahead.add('fit/lost.bundle');
    expect(await ahead.take(() => false)).toBeNull();
    expect(giveUp.mock.calls).toEqual([
      [expect.objectContaining({ message: expect.stringContaining('fit/lost.bundle') })],
    ]);
    await reduceMerge(await scratch.scope(fits), NO_HISTORY, null);
    expect(await bytesOf(scratch)).toEqual(await mergedAlone({}));
  });

  it('are given up when they cannot be begun', async () => {
    const scratch = await FittedScratch.make(place());
    await scratch.store.removeAll('control');
    const ahead = begin(scratch);
    expect(await ahead.take(() => false)).toBeNull();
    expect(giveUp).toHaveBeenCalledOnce();
    expect(await hidden(scratch)).toEqual([]);
  });

  it('leave nothing when they are dropped', async () => {
    const scratch = await FittedScratch.make(place());
    const ahead = begin(scratch);
    await vi.waitFor(async () => expect(await hidden(scratch)).toHaveLength(4));
    for (const name of await commitAll(scratch)) ahead.add(name);
    await ahead.drop();
    expect(await readdir(scratch.output)).toEqual([]);
  });

  it('leave nothing when the merge that took them fails or is cancelled', async () => {
    const scratch = await FittedScratch.make(place());
    const fits = await commitAll(scratch);
    const lost = begin(scratch);
    const scopeWithLost = await scratch.scope([...fits, 'fit/lost.bundle']);
    const failed = reduceMerge(scopeWithLost, NO_HISTORY, await lost.take(() => false));
    await expect(failed).rejects.toMatchObject({ tag: 'ResultLost' });
    expect(await readdir(scratch.output)).toEqual([]);
    const cancelled = begin(scratch);
    const stopped = reduceMerge(await scratch.scope(fits, () => true), NO_HISTORY, await cancelled.take(() => true));
    await expect(stopped).rejects.toMatchObject({ tag: 'Cancelled' });
    expect(await readdir(scratch.output)).toEqual([]);
  });
});
