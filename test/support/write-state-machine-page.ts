import { writeFileSync } from 'node:fs';
import { stateMachinePage } from '../../coordinator/src/domain/index.js';

/** Writes docs/state-machine.md from the tables of legal moves: `npx tsx test/support/write-state-machine-page.ts`. */
writeFileSync(new URL('../../docs/state-machine.md', import.meta.url), stateMachinePage());
