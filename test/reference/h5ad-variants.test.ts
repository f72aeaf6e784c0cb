import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  columnTexts,
  openCellNames,
  openRowSource,
  packMatrixDescriptor,
  readH5adMetadata,
  unpackMatrixDescriptor,
  type H5adMetadata,
  type RowSourceOptions,
} from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithPeers } from '../support/peers.js';

/** One line of the table that h5ad-variants.py prints: a matrix in a file and what should be read from it. */
interface Variant {
  readonly file: string;
  readonly matrix: string;
  readonly cells: number;
  readonly genes: number;
  readonly dump: string | null;
  readonly single: boolean;
  readonly unsupported: string | null;
  readonly columns?: Readonly<Record<string, ExpectedColumn>>;
  readonly obs_names?: readonly string[];
  readonly duplicate_genes?: number;
}

interface ExpectedColumn {
  readonly kind: string;
  readonly codes?: readonly number[];
  readonly categories?: readonly string[];
  readonly ordered?: boolean;
  readonly texts?: readonly (string | null)[];
}

const SCRIPT = fileURLToPath(new URL('./h5ad-variants.py', import.meta.url));
const SCRIPT_TIMEOUT_MS = 180_000;

describeWithPeers('h5ad files as h5py and anndata write them', (python) => {
  let folder: string;
  let variants: readonly Variant[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-variants-'));
    await promisify(execFile)(python, [SCRIPT, folder], { maxBuffer: 1 << 26 });
    variants = JSON.parse(await readFile(join(folder, 'table.json'), 'utf8')) as Variant[];
  }, SCRIPT_TIMEOUT_MS);
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const metadataOf = async ({ file, matrix }: Variant): Promise<H5adMetadata> =>
    readH5adMetadata(join(folder, file), { matrix });

  interface Reading extends RowSourceOptions {
    readonly begin: number;
    readonly end: number;
    readonly maxNonzeros: number;
  }

  /** Rows of a variant as dense doubles; checks what blocks promise on the way. */
  async function readDense(variant: Variant, reading: Reading): Promise<Float64Array> {
    const { begin, end, maxNonzeros, ...options } = reading;
    const { descriptor } = await metadataOf(variant);
    if (descriptor === null) throw new RangeError('no descriptor');
    const packed = packMatrixDescriptor(descriptor);
    const source = await openByteSource(join(folder, variant.file));
    try {
      const rows = openRowSource(unpackMatrixDescriptor(packed), source, options);
      const dense = new Float64Array((end - begin) * variant.genes);
      let next = begin;
      for await (const block of rows.blocks(begin, end, maxNonzeros)) {
        if (block.rowBegin !== next) throw new RangeError(`block at row ${block.rowBegin} instead of ${next}`);
        if (block.values instanceof Float32Array !== variant.single) throw new RangeError('values of the wrong type');
        next += block.nRows;
        for (let row = 0; row < block.nRows; row++) {
          for (let i = block.indptr[row], previous = -1; i < block.indptr[row + 1]; i++) {
            if (block.indices[i] <= previous || block.values[i] === 0) throw new RangeError('a row is not in order');
            previous = block.indices[i];
            dense[(block.rowBegin - begin + row) * variant.genes + previous] = block.values[i];
          }
        }
      }
      if (next !== end) throw new RangeError(`rows end at ${next} instead of ${end}`);
      return dense;
    } finally {
      await source.close();
    }
  }

  async function expectedRows(variant: Variant, begin: number, end: number): Promise<Float64Array> {
    const bytes = await readFile(join(folder, variant.dump ?? ''));
    const whole = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    return whole.slice(begin * variant.genes, end * variant.genes);
  }

  /** Runs a check over every variant and lists those that fail, with the reason. */
  async function failuresOf(chosen: readonly Variant[], check: (variant: Variant) => Promise<void>): Promise<string[]> {
    const failures: string[] = [];
    for (const variant of chosen) {
      try {
        await check(variant);
      } catch (error) {
        failures.push(`${variant.file} ${variant.matrix}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return failures;
  }

  const sameBits = (found: Float64Array, expected: Float64Array): void => {
    if (found.length !== expected.length) throw new RangeError(`${found.length} values instead of ${expected.length}`);
    const at = found.findIndex((value, i) => !Object.is(value, expected[i]) && !(value === 0 && expected[i] === 0));
    if (at >= 0) throw new RangeError(`value ${at} is ${found[at]} instead of ${expected[at]}`);
  };

  it('yield the same matrices, value for value', async () => {
    const readable = variants.filter((variant) => variant.dump !== null);
    expect(readable.length).toBeGreaterThan(250);
    const failures = await failuresOf(readable, async (variant) => {
      const whole = { begin: 0, end: variant.cells, maxNonzeros: 1 << 20 };
      sameBits(await readDense(variant, whole), await expectedRows(variant, 0, variant.cells));
    });
    expect(failures).toEqual([]);
  });

  it('yield the same rows when they are read in parts, in small ranges and blocks', async () => {
    const readable = variants.filter(({ dump, cells, file }) => dump !== null && cells > 2 && !file.startsWith('many'));
    const failures = await failuresOf(readable, async (variant) => {
      const cut = Math.floor(variant.cells * 0.37);
      for (const [begin, end] of [[0, cut], [cut, cut], [cut, variant.cells]] as const) {
        const part = { begin, end, maxNonzeros: 40, rangeBytes: 1000, bandBytes: 5000 };
        sameBits(await readDense(variant, part), await expectedRows(variant, begin, end));
      }
    }); // prettier-ignore
    expect(failures).toEqual([]);
  });

  it('show the stored bytes of every chunk once, whichever way they are decoded', async () => {
    const chosen = variants.filter(({ file }) =>
      /^(csr|dense|csc)-(zstd|lz4|gzip9-f4|shuffle|fletcher)\.h5ad$/.test(file),
    );
    expect(chosen.length).toBeGreaterThan(5);
    const failures = await failuresOf(chosen, async (variant) => {
      const { descriptor } = await metadataOf(variant);
      const bytes = await readFile(join(folder, variant.file));
      const seen = new Set<string>();
      await readDense(variant, {
        begin: 0,
        end: variant.cells,
        maxNonzeros: 100,
        onRawChunk: (dataset, chunk, stored) => {
          const layout =
            dataset === 'data' || descriptor?.kind === 'dense' ? descriptor?.data.layout : descriptor?.indices.layout;
          if (layout?.kind !== 'chunked') throw new RangeError('not chunked');
          const at = layout.offsets[chunk];
          if (!bytes.subarray(at, at + layout.sizes[chunk]).equals(stored)) throw new RangeError('other bytes');
          if (seen.has(`${dataset} ${chunk}`)) throw new RangeError(`chunk ${chunk} of ${dataset} came twice`);
          seen.add(`${dataset} ${chunk}`);
        },
      });
      const parts = descriptor?.kind === 'dense' ? [descriptor.data] : [descriptor?.data, descriptor?.indices];
      const all = parts.reduce((n, part) => n + (part?.layout.kind === 'chunked' ? part.layout.offsets.length : 0), 0);
      if (seen.size !== all) throw new RangeError(`${seen.size} chunks instead of ${all}`);
    });
    expect(failures).toEqual([]);
  });

  it('are refused by name where a filter is not read', async () => {
    const refused = variants.filter((variant) => variant.unsupported !== null);
    expect(refused.map((variant) => variant.unsupported).sort()).toEqual(['scaleoffset', 'szip']);
    for (const variant of refused) {
      const reading = readDense(variant, { begin: 0, end: variant.cells, maxNonzeros: 100, label: 'F' });
      await expect(reading).rejects.toMatchObject({ tag: 'UnsupportedData' });
      await expect(reading).rejects.toThrow(`compressed with ${variant.unsupported}, which is not read`);
    }
  });

  it('yield the same columns and names', async () => {
    const withColumns = variants.filter((variant) => variant.columns !== undefined);
    expect(withColumns.length).toBeGreaterThan(4);
    for (const variant of withColumns) {
      const wanted = variant.columns ?? {};
      const names = Object.keys(wanted);
      const request = { obsColumns: names, obsNames: true };
      const metadata = await readH5adMetadata(join(folder, variant.file), request);
      expect(metadata.obsNames, variant.file).toEqual(variant.obs_names);
      const rows = { begin: 1, end: metadata.nObs - 1 };
      const part = await readH5adMetadata(join(folder, variant.file), { obsNames: rows });
      expect(part.obsNames, variant.file).toEqual(variant.obs_names?.slice(rows.begin, rows.end));
      const described = await readH5adMetadata(join(folder, variant.file), { obsNamesAddress: true });
      const cellNames = await openCellNames(join(folder, variant.file), described);
      expect(await cellNames.read(rows), variant.file).toEqual(part.obsNames);
      await cellNames.close();
      expect(metadata.duplicateVarNames?.count).toBe(variant.duplicate_genes ?? 0);
      expect(metadata.obsColumns.map(({ name, kind }) => ({ name, kind }))).toEqual(
        names.map((name) => ({ name, kind: wanted[name].kind })),
      );
      for (const column of metadata.columns) {
        const { kind, codes, categories, ordered, texts } = wanted[column.name];
        const where = `${variant.file} ${column.name}`;
        expect(column.kind, where).toBe(kind);
        if (column.kind === 'categorical') {
          expect([...column.codes], where).toEqual(codes);
          expect([...column.categories], where).toEqual(categories);
          expect(column.ordered, where).toBe(ordered);
        } else if (column.kind === 'float') {
          // Python and JavaScript write exponents differently: compare the numbers.
          expect([...column.values], where).toEqual((texts ?? []).map(Number));
        } else {
          expect(columnTexts(column), where).toEqual(texts);
        }
      }
    }
  });
});
