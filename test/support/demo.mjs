// npm run demo
//
// A whole analysis in seconds, with nothing but Node: simulate a screen whose true effects are known, run all three tests on
// an embedded cluster of two workers, print the results, and hold them against the truth. Everything stays in ./demo-output;
// running it again replaces it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import { calibration, foldChangeAgreement, knockDowns } from '../reference/calibration-measures.mjs';
import { readResults, readTruth } from '../reference/calibration-truth.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LAUNCHER = join(ROOT, 'coordinator', 'bin', 'shardex.mjs');
const FOLDER = join(ROOT, 'demo-output');
const SCREEN = join(FOLDER, 'screen.h5ad');
const RESULTS = join(FOLDER, 'results');
const SIZES = { cells: 4000, genes: 1500, perturbations: 30, depth: 3000, seed: 1 };
const WORKERS = 2;

const hasColour = process.stdout.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';
const paint = (open, close) => (text) => (hasColour ? `\u001b[${open}m${text}\u001b[${close}m` : text);
const [bold, dim, green] = [paint(1, 22), paint(2, 22), paint(32, 39)];
const say = (text = '') => process.stdout.write(`${text}\n`);
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;

/** Paths as a reader would type them at the top of the checkout. */
const shown = (argument) => (argument.startsWith(ROOT) ? relative(ROOT, argument) : argument);

/** Runs the command line as a user would, its output passed through; ends the demo with its exit code if it fails. */
const shardex = async (...args) => {
  say(dim(`$ npx shardex ${args.map(shown).join(' ')}`));
  const child = spawn(process.execPath, [LAUNCHER, ...args.map(shown)], { cwd: ROOT, stdio: 'inherit' });
  const exitCode = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  if (exitCode !== 0) process.exit(exitCode);
  say();
};

const heading = (text) => say(bold(text));

/** An aligned table; the first column to the left, the others to the right. */
const table = (rows) => {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const [i, row] of rows.entries()) {
    const line = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])));
    say((i === 0 ? bold : String)(line.join('  ')));
  }
};

/** What the tests made of effects that are known: one row of the last table. */
const judge = async (truth, test) => {
  const foldChanges = test === 'nb-glm' ? 'X' : 'logfoldchanges';
  const layers = [...new Set([foldChanges, 'pvalue', 'pvalue_adj', 'z_score'])];
  const results = await readResults(RESULTS, TEST_OUTPUTS[test].file, layers);
  const { nulls, found, falseShare } = calibration(truth, results);
  const targets = knockDowns(results);
  const { slope } = foldChangeAgreement(truth, results, foldChanges);
  return {
    targets,
    cells: [
      test,
      `${targets.found} of ${targets.targets}`,
      percent(found),
      percent(falseShare),
      percent(nulls.below05, 1),
      percent(nulls.below001, 2),
      slope.toFixed(3),
    ],
  };
};

const started = performance.now();
if (!existsSync(FOLDER)) mkdirSync(FOLDER);

heading('1. A screen whose true effects are known');
await shardex('simulate', SCREEN, ...Object.entries(SIZES).flatMap(([name, value]) => [`--${name}`, String(value)]));

heading(`2. Three tests of every gene under every perturbation, one read of the file, ${WORKERS} worker processes`);
await shardex('de', SCREEN, '--out', RESULTS, '--workers', String(WORKERS), '--force');

heading('3. What was found, one line per perturbation');
await shardex('results', RESULTS, '--test', 'nb-glm');

const truth = await readTruth(SCREEN);
const example = truth.perturbations[0];
heading(`4. The strongest genes under one perturbation, the knock-down of ${example}`);
await shardex('results', RESULTS, '--test', 'nb-glm', '--perturbation', example, '--top', '8');

heading('5. Held against the truth that the simulation stored in the file');
const rows = [];
for (const test of Object.keys(TEST_OUTPUTS)) rows.push(await judge(truth, test));
table([
  ['TEST', 'TARGETS SEEN', 'EFFECTS FOUND', 'FALSE', 'NULLS p<.05', 'NULLS p<.001', 'LFC SLOPE'],
  ...rows.map(({ cells }) => cells),
]);
say(
  dim(
    [
      'targets seen: perturbations whose own target is lower at FDR 5%; effects found: share of all true effects at FDR 5%, many',
      'of them small or in genes hardly expressed; false: share of the findings that are no effect; nulls: genes that a',
      'perturbation leaves alone, of which 5% and 0.1% are to be expected; slope: estimated on true log fold changes, ideally 1.',
    ].join('\n'),
  ),
);
const [{ targets }] = rows;
if (targets.missed.length > 0) say(dim(`nb-glm missed ${targets.missed.join(', ')}.`));
say();

heading('Files');
for (const name of readdirSync(RESULTS).sort()) {
  const path = join(RESULTS, name);
  say(`  ${shown(path).padEnd(36)} ${dim(`${Math.ceil(statSync(path).size / 1024).toLocaleString('en')} KiB`)}`);
}
say(dim('  docs/output.md says what each holds; anndata.read_h5ad opens the .h5ad files.'));
say();
say(green(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`));
