import { expect, it } from 'vitest';
import { publicNames } from './public-names.js';
import { PUBLIC_ENTRIES } from './source-files.js';

it('are those of the snapshot: a change of what a package offers is a decision', async () => {
  const entries = [...PUBLIC_ENTRIES].map(([entry, path]) => [entry, ...publicNames(path).map((name) => `  ${name}`)]);
  await expect(`${entries.flat().join('\n')}\n`).toMatchFileSnapshot('./public-names.txt');
});
