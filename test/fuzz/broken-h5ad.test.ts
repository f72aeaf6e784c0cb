import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSmallH5ad, type SmallH5ad } from '../support/small-h5ad.js';
import { mutate, WAY_NAMES } from './mutate.js';

const READER = new URL('read-files.mjs', import.meta.url);

/** Counts of 40 cells × 12 genes, a third of them zero. */
const COUNTS = Array.from({ length: 40 }, (_, cell) =>
  Array.from({ length: 12 }, (_, gene) => Math.max(0, ((cell * 7 + gene * 5) % 6) - 1)),
);

const BASES: Readonly<Record<string, SmallH5ad>> = {
  'csr, gzip': { storage: 'csr', compression: 'gzip', chunkLength: 64 },
  'csr, newest structures': { storage: 'csr', compression: 'gzip', chunkLength: 64, newest: true },
  'csr, plain, u16': { storage: 'csr', compression: null, chunkLength: 100, dtype: 'uint16' },
  'csc, gzip': { storage: 'csc', compression: 'gzip', chunkLength: 64 },
  'dense, gzip, f64': { storage: 'dense', compression: 'gzip', chunkLength: 16, dtype: 'float64' },
};

/** Mutants of each base; each way of breaking a file is taken equally often. */
const MUTANTS = Number(process.env['SHARDEX_FUZZ_MUTANTS'] ?? 13);

/** Longer than the product gives the HDF5 library (30 s without a read), by as much as a busy machine may need. */
const HANG_MS = 90_000;

interface Verdict {
  readonly path: string;
  readonly outcome:
    | { readonly kind: 'read'; readonly sum: string }
    | { readonly kind: 'refused'; readonly tag: string; readonly sentence: string }
    | { readonly kind: 'crashed'; readonly error: string }
    | { readonly kind: 'hung' | 'killed the thread' };
  /** What the HDF5 library reads; null where it cannot. */
  readonly library: string | null;
}

/** Reads files in a thread, and in another one from where the first came to grief. */
const readAll = async (paths: readonly string[]): Promise<Verdict[]> => {
  const verdicts: Verdict[] = [];
  while (verdicts.length < paths.length) {
    const thread = new Worker(READER, {
      workerData: { paths: paths.slice(verdicts.length) },
      stderr: true,
      stdout: true,
    });
    await new Promise<void>((resolve) => {
      const fail = (kind: 'hung' | 'killed the thread') => () => {
        if (verdicts.length < paths.length)
          verdicts.push({ path: paths[verdicts.length], outcome: { kind }, library: null });
        resolve();
      };
      let watchdog = setTimeout(fail('hung'), HANG_MS);
      thread.on('message', (verdict: Verdict) => {
        clearTimeout(watchdog);
        verdicts.push(verdict);
        if (verdicts.length === paths.length) return resolve();
        watchdog = setTimeout(fail('hung'), HANG_MS);
      });
      thread.once('error', fail('killed the thread'));
      thread.once('exit', () => {
        clearTimeout(watchdog);
        resolve();
      });
    });
    await thread.terminate();
  }
  return verdicts;
};

describe('a broken h5ad file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-fuzz-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(Object.entries(BASES))(
    'is refused in one sentence or read as it is: %s',
    async (name, how) => {
      const base = join(folder, 'base.h5ad');
      await writeSmallH5ad(base, COUNTS, 12, how);
      const original = await readFile(base);
      const paths = [base];
      const ways = ['unbroken'];
      for (let seed = 0; seed < MUTANTS * WAY_NAMES.length; seed++) {
        const { bytes, way } = mutate(original, seed);
        const path = join(folder, `${seed}.h5ad`);
        await writeFile(path, bytes);
        paths.push(path);
        ways.push(`${way}, seed ${seed}`);
      }
      // Two threads, one for each core.
      const half = Math.ceil(paths.length / 2);
      const halves = [paths.slice(0, half), paths.slice(half)].map(readAll);
      const [unbroken, ...verdicts] = (await Promise.all(halves)).flat();
      expect(unbroken.outcome.kind).toBe('read');
      const counts = { read: 0, refused: 0 };
      for (const [i, { outcome, library }] of verdicts.entries()) {
        const where = `${name}, ${ways[i + 1]}`;
        if (outcome.kind === 'refused') {
          counts.refused++;
          expect(['InvalidInput', 'CorruptData', 'UnsupportedData'], `${where}: ${outcome.sentence}`).toContain(
            outcome.tag,
          );
          expect(outcome.sentence, where).toMatch(/^[^\n]+$/);
        } else {
          expect(outcome, where).toMatchObject({ kind: 'read' });
          counts.read++;
          // As the HDF5 library reads it or, where a damaged index of chunks keeps some from the library, as it was.
          if (outcome.kind === 'read' && library !== null)
            expect([library, unbroken.library], where).toContain(outcome.sum.split(' ')[1]);
        }
      }
      process.stdout.write(`${name}: ${verdicts.length} mutants, ${counts.refused} refused, ${counts.read} read\n`);
      expect(counts.refused).toBeGreaterThan(0);
    },
    600_000,
  );
});
