import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from './source-files.js';
import { trackedFiles } from './tracked-files.js';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const files = trackedFiles();
if (files === null) process.stderr.write('skipped "docs/security.md": this is no checkout that git knows\n');

/** The table below "Threats": what threatens, what answers, which test shows it. */
const threats = (read('docs/security.md').split('\n## Threats\n')[1] ?? '')
  .split('\n## ')[0]
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe.skipIf(files === null)('docs/security.md', () => {
  const tracked = files ?? [];
  const named = (path: string): string[] =>
    tracked.filter((file) => `/${file}`.endsWith(`/${path}`) || file.startsWith(`${path}/`));
  /** What a test, or a group of them, may be called by: the beginning of its title. */
  const hasTest = (file: string, title: string): boolean =>
    [`it('`, `describe('`, `name: '`].some((before) => read(file).includes(`${before}${title}`));

  it('has a test for every threat', () => {
    expect(threats.length).toBeGreaterThan(15);
    for (const cells of threats) expect(cells, cells[0]).toHaveLength(3);
  });

  it.each(threats)('%s: its test is there', (_threat, _answer, shown) => {
    const places = [...shown.matchAll(/`([^`]+)`/g)].map(([, path]) => path);
    expect(places, 'a file or a folder of tests').not.toEqual([]);
    const tests = places.flatMap((path) => named(path).filter((file) => /\.test\.ts$/.test(file)));
    for (const path of places) expect(named(path), path).not.toEqual([]);
    expect(tests, shown).not.toEqual([]);
    for (const [, title] of shown.matchAll(/"([^"…]+)…?"/g))
      expect(
        tests.some((file) => hasTest(file, title)),
        title,
      ).toBe(true);
  });
});
