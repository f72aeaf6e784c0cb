// node test/reference/validate.mjs simulated|papalexi|guides|calibration|parity FOLDER
//
// Makes the tables of docs/validation.md. Everything is kept in FOLDER and used again if it is there: simulated screens,
// results, and crispyx's results, which take minutes. Needs a build, the real data for `papalexi`, `guides` and `parity`
// (SHARDEX_SHARED_DIR, or a folder `shared` beside the checkout), SHARDEX_PEER_PYTHON for crispyx, `guides` and `parity`.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { calibration } from './validation/calibration.mjs';
import { guides } from './validation/guides.mjs';
import { papalexi } from './validation/papalexi.mjs';
import { parity } from './validation/parity.mjs';
import { simulated } from './validation/simulated.mjs';

const parts = { simulated, papalexi, guides, calibration, parity };
const [what, folderName] = process.argv.slice(2);
if (!(what in parts)) {
  process.stderr.write(`usage: node test/reference/validate.mjs ${Object.keys(parts).join('|')} FOLDER\n`);
  process.exitCode = 2;
} else {
  const folder = resolve(folderName ?? 'validation-output');
  mkdirSync(folder, { recursive: true });
  await parts[what](folder);
}
