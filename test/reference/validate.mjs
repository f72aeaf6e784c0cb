// node test/reference/validate.mjs PART FOLDER, where PART is one of those below
//
// Makes the tables of docs/validation.md. Everything is kept in FOLDER and used again if it is there: simulated screens,
// results, and crispyx's results, which take minutes. Needs a build; SHARDEX_PEER_PYTHON for all but `papalexi` and
// `calibration` (`simulated` leaves crispyx out without it); the real data (SHARDEX_SHARED_DIR, or a folder `shared` beside the
// checkout) for all but `simulated`, `calibration` and `tails`.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { adjustment } from './validation/adjustment.mjs';
import { calibration } from './validation/calibration.mjs';
import { guides } from './validation/guides.mjs';
import { papalexi } from './validation/papalexi.mjs';
import { parity } from './validation/parity.mjs';
import { simulated } from './validation/simulated.mjs';
import { tails } from './validation/tails.mjs';

const parts = { simulated, papalexi, guides, calibration, parity, tails, adjustment };
const [what, folderName] = process.argv.slice(2);
if (!(what in parts)) {
  process.stderr.write(`usage: node test/reference/validate.mjs ${Object.keys(parts).join('|')} FOLDER\n`);
  process.exitCode = 2;
} else {
  const folder = resolve(folderName ?? 'validation-output');
  mkdirSync(folder, { recursive: true });
  await parts[what](folder);
}
