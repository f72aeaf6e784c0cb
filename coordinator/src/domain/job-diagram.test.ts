import { expect, it } from 'vitest';
import { stateMachinePage } from './job-diagram.js';

it('docs/state-machine.md is what the tables of legal moves say (vitest run -u writes it)', async () => {
  await expect(stateMachinePage()).toMatchFileSnapshot('../../../docs/state-machine.md');
});
