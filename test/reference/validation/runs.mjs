// What the parts of the validation share: the product's command, the peers' Python, folders, tables, figures.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../../coordinator/bin/shardex.mjs', import.meta.url));
const PEERS = fileURLToPath(new URL('peers.py', import.meta.url));

/** The real screens. */
export const SCREENS = [
  { dataset: 'papalexi_thp1_eccite', title: 'Papalexi', control: 'NT', covariate: 'bio_rep' },
  { dataset: 'datlinger_jurkat_scifi', title: 'Datlinger', control: 'control', covariate: 'tcr' },
];

/** A Python with the peers; null: parts that need it are left out. */
export const python = process.env.SHARDEX_PEER_PYTHON ?? null;

export const say = (/** @type {string} */ line) => process.stdout.write(`${line}\n`);

/** @param {string} command @param {readonly string[]} args */
const run = (command, args) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 26 });

/** @param {readonly string[]} args */
export const shardex = (...args) => run(process.execPath, [LAUNCHER, ...args]);

/** @param {string} script @param {readonly string[]} args */
export const runPython = (script, ...args) => {
  if (python === null) throw new Error('SHARDEX_PEER_PYTHON names no Python with the peers');
  return run(python, [script, ...args]);
};

/** @param {readonly string[]} args */
export const peers = (...args) => runPython(PEERS, ...args);

/**
 * A folder of results, made unless it is there.
 *
 * @param {string} out
 * @param {string} input
 * @param {readonly string[]} options
 */
export const analysed = (out, input, ...options) => {
  if (!existsSync(join(out, 'run.json'))) shardex('de', input, '--out', out, '--quiet', ...options);
  return out;
};

/**
 * A Markdown table: names of the columns, then one row a line of the first column.
 *
 * @param {readonly string[]} columns
 * @param {readonly (readonly string[])[]} rows
 */
export const table = (columns, rows) => {
  say(`| ${columns.join(' | ')} |`);
  say(`| ${columns.map(() => '---').join(' | ')} |`);
  for (const row of rows) say(`| ${row.join(' | ')} |`);
  say('');
};

const digits = (/** @type {number} */ value) =>
  value === 0 || Number.isInteger(value)
    ? String(value)
    : Math.abs(value) < 1e-3
      ? value.toExponential(1)
      : value.toPrecision(4);

/**
 * The same of rows whose keys name the columns.
 *
 * @param {readonly Readonly<Record<string, string | number>>[]} rows
 */
export const tableOf = (rows) =>
  table(
    Object.keys(rows[0]),
    rows.map((row) => Object.values(row).map((value) => (typeof value === 'number' ? digits(value) : value))),
  );

/** @param {string} path below the folder of real data and reference tables */
export const sharedFile = (path) => {
  const above = [];
  for (let at = fileURLToPath(new URL('../../..', import.meta.url)); dirname(at) !== at; at = dirname(at))
    above.push(at);
  const given = process.env.SHARDEX_SHARED_DIR;
  const roots = given === undefined ? above.map((at) => join(at, 'shared')) : [given];
  const found = roots.map((root) => join(root, path)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${path} is in no folder "shared" above: name it with SHARDEX_SHARED_DIR`);
  return found;
};

/** @param {readonly number[]} values */
export const median = (values) => Float64Array.from(values).sort()[values.length >> 1];
/** @param {readonly number[]} values */
export const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);
/** @param {readonly number[]} values @param {(value: number) => boolean} isCounted */
export const share = (values, isCounted) => values.filter(isCounted).length / values.length;
