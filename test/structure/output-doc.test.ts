import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import { GENE_STATUS_LEGEND } from '@shardex/shared/stats';
import { repositoryRoot } from './source-files.js';

const page = readFileSync(join(repositoryRoot, 'docs', 'output.md'), 'utf8');
const TYPES = { f32: 'float32', f64: 'float64', u8: 'uint8', i32: 'int32' } as const;

/** Rows of the first table below a heading that contains `name`, cell by cell, without back ticks. */
const rowsBelow = (name: string): string[][] => {
  const section = page.split(/\n(?=#{2,3} )/).find((part) => part.split('\n')[0].includes(name)) ?? '';
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('`', '').trim()),
  );
};

describe('docs/output.md', () => {
  it.each(Object.values(TEST_OUTPUTS))(
    'lists the layers of the test whose effect is $effect, with their types, in order',
    ({ file, layers }) => {
      const listed = rowsBelow(`${file}.h5ad`).map(([name, type]) => ({ name, type }));
      expect(listed).toEqual(layers.map(({ name, dtype }) => ({ name, type: TYPES[dtype] })));
    },
  );

  it('says of each layer that only --layers crispyx writes that it does', () => {
    for (const { file, layers } of Object.values(TEST_OUTPUTS)) {
      const described = new Map(rowsBelow(`${file}.h5ad`).map(([name, , what]) => [name, what]));
      for (const { name, crispyx } of layers) {
        expect(/--layers crispyx|^likewise/.test(described.get(name) ?? ''), name).toBe(crispyx === true);
      }
    }
  });

  it('explains every status under its code', () => {
    const listed = rowsBelow('Status').map(([code, name]) => ({ code, name }));
    expect(listed).toEqual(GENE_STATUS_LEGEND.map(({ name }, code) => ({ code: String(code), name })));
  });
});
