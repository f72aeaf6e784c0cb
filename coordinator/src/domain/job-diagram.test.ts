import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { stateMachinePage } from './job-diagram.js';

it('docs/state-machine.md is what the tables of legal moves say (npx tsx test/support/write-state-machine-page.ts)', () => {
  const page = readFileSync(new URL('../../../docs/state-machine.md', import.meta.url), 'utf8');
  expect(page).toBe(stateMachinePage());
});
