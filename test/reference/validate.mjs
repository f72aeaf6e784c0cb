// node test/reference/validate.mjs simulated|papalexi|guides FOLDER
//
// Makes the tables of docs/validation.md. Everything is kept in FOLDER and used again if it is there: the simulated screen
// (91 MB), results, and crispyx's results, which take minutes. Needs a build, for `papalexi` and `guides` the real data
// (SHARDEX_SHARED_DIR, or a folder `shared` beside the checkout), for crispyx and `guides` SHARDEX_PEER_PYTHON.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import {
  MEAN_BINS,
  calibration,
  dispersionError,
  foldChangeAgreement,
  knockDowns,
  powerAtFalseShare,
} from './calibration-measures.mjs';
import { readGeneColumn, readResults, readTruth } from './calibration-truth.mjs';

const [what, folderName] = process.argv.slice(2);
const folder = resolve(folderName ?? 'validation-output');
mkdirSync(folder, { recursive: true });
const python = process.env.SHARDEX_PEER_PYTHON ?? null;
const LAUNCHER = fileURLToPath(new URL('../../coordinator/bin/shardex.mjs', import.meta.url));
const PEERS = fileURLToPath(new URL('validate-peers.py', import.meta.url));

const say = (line) => process.stdout.write(`${line}\n`);
const run = (command, ...args) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 26 });
const shardex = (...args) => run(process.execPath, LAUNCHER, ...args);
const peers = (...args) => run(python, PEERS, ...args);

/** A folder of results, made unless it is there. */
const analysed = (input, name, ...options) => {
  const out = join(folder, name);
  if (!existsSync(join(out, 'run.json'))) shardex('de', input, '--out', out, '--quiet', ...options);
  return out;
};

/** A Markdown table: names of the columns, then one row a line of the first column. */
const table = (columns, rows) => {
  say(`| ${columns.join(' | ')} |`);
  say(`| ${columns.map(() => '---').join(' | ')} |`);
  for (const row of rows) say(`| ${row.join(' | ')} |`);
  say('');
};

const sharedFile = (path) => {
  const above = [];
  for (let at = fileURLToPath(new URL('../..', import.meta.url)); dirname(at) !== at; at = dirname(at)) above.push(at);
  const roots = process.env.SHARDEX_SHARED_DIR
    ? [process.env.SHARDEX_SHARED_DIR]
    : above.map((at) => join(at, 'shared'));
  const found = roots.map((root) => join(root, path)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${path} is in no folder "shared" above: name it with SHARDEX_SHARED_DIR`);
  return found;
};

const median = (values) => Float64Array.from(values).sort()[values.length >> 1];
const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);
const share = (values, isCounted) => values.filter(isCounted).length / values.length;

/** Calibration, power and effects on a screen with known truth. */
const simulated = async () => {
  const screen = join(folder, 'screen.h5ad');
  if (!existsSync(screen))
    shardex('simulate', screen, '--cells', '20000', '--genes', '6000', '--perturbations', '60', '--seed', '1');
  const truth = await readTruth(screen);
  const all = analysed(screen, 'all');
  const wald = analysed(screen, 'wald', '--tests', 'nb-glm', '--nb-test', 'wald');
  const methods = [
    { name: 'NB LRT', out: all, file: 'nb_glm', effect: 'X' },
    { name: 'NB Wald', out: wald, file: 'nb_glm', effect: 'X' },
    { name: 'Wilcoxon', out: all, file: 'wilcoxon', effect: 'logfoldchanges' },
    { name: 't-test', out: all, file: 't_test', effect: 'logfoldchanges' },
  ];
  const crispyx = join(folder, 'crispyx_nb_glm.h5ad');
  if (!existsSync(crispyx) && python !== null) peers('crispyx', screen, crispyx);
  if (existsSync(crispyx)) methods.push({ name: 'crispyx NB', out: folder, file: 'crispyx_nb_glm', effect: 'X' });
  const columns = [];
  for (const { name, out, file, effect } of methods) {
    const results = await readResults(out, file, [...new Set(['pvalue', 'pvalue_adj', 'z_score', effect])]);
    const measured = calibration(truth, results);
    const fold = foldChangeAgreement(truth, results, effect);
    const dispersion = effect === 'X' ? await readGeneColumn(join(out, `${file}.h5ad`), 'dispersion') : null;
    const targets = knockDowns(results);
    const bins = (key, digits) => measured.nullsByMean.map((bin) => bin[key].toFixed(digits));
    columns.push([
      name,
      measured.tested.toLocaleString('en'),
      measured.nulls.below05.toFixed(3),
      ...bins('below05', 3),
      measured.nulls.below001.toFixed(4),
      ...bins('below001', 4),
      measured.found.toFixed(3),
      measured.foundOfTested.toFixed(3),
      measured.falseShare.toFixed(3),
      powerAtFalseShare(truth, results, 0.05).toFixed(3),
      `${targets.found} of ${targets.targets}`,
      fold.slope.toFixed(3),
      fold.rmse.toFixed(3),
      dispersion === null ? '' : dispersionError(truth, dispersion).toFixed(3),
    ]);
  }
  const binNames = MEAN_BINS.slice(1).map((bound, i) =>
    bound === Infinity ? `mean ≥ ${MEAN_BINS[i]}` : `mean ${MEAN_BINS[i]} to ${bound}`,
  );
  const names = [
    '',
    'pairs tested',
    'true nulls with p < 0.05',
    ...binNames.map((bin) => `– ${bin}`),
    'true nulls with p < 0.001',
    ...binNames.map((bin) => `– ${bin}`),
    'true effects found at BH 5%, of all',
    '– of those the method tested',
    'false share of the findings',
    'true effects in the list with a false share of 5%',
    'knocked-down targets seen',
    'slope of estimated on true LFC',
    'RMSE of log2 fold change',
    'RMSE of log dispersion',
  ];
  const rows = names.map((name, i) => [name, ...columns.map((column) => column[i])]);
  table(rows[0], rows.slice(1));
};

/** Tables of scanpy on the Papalexi screen. */
const papalexi = async () => {
  const out = analysed(
    sharedFile('data/papalexi_thp1_eccite.h5ad'),
    'papalexi',
    ...['--perturbation-column', 'perturbation', '--control-label', 'NT'],
  );
  const rows = [];
  for (const [name, file, reference] of [
    ['Wilcoxon', 'wilcoxon', 'wilcoxon'],
    ['t-test', 't_test', 't-test'],
  ]) {
    const results = await readResults(out, file, ['z_score', 'log10_pvalue', 'logfoldchanges']);
    const text = gunzipSync(readFileSync(sharedFile(`reference/papalexi_thp1_eccite/scanpy_${reference}.csv.gz`)));
    const [header, ...lines] = text
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    const at = new Map(
      results.perturbations.flatMap((label, row) =>
        results.genes.map((gene, column) => [`${label} ${gene}`, row * results.genes.length + column]),
      ),
    );
    const differences = { score: [], log10P: [] };
    for (const line of lines) {
      const of = (column) => line[header.indexOf(column)];
      const place = at.get(`${of('group')} ${of('names')}`);
      differences.score.push(Math.abs(results.layers.get('z_score')[place] - Number(of('scores'))));
      const p = Number(of('pvals'));
      if (p > 1e-300) differences.log10P.push(Math.abs(results.layers.get('log10_pvalue')[place] - Math.log10(p)));
    }
    const { score, log10P } = differences;
    const figures = [largest(score), median(score), largest(log10P), median(log10P)];
    rows.push([name, String(score.length), ...figures.map((figure) => figure.toExponential(1))]);
  }
  table(['', 'pairs', 'score: largest difference', 'median', 'log10 p: largest difference', 'median'], rows);
};

/** Each non-targeting guide against the other non-targeting cells: real cells, no effect to be found. */
const guides = async () => {
  const inputs = join(folder, 'guides');
  mkdirSync(inputs, { recursive: true });
  if (readdirSync(inputs).length === 0) peers('guides', sharedFile('data/papalexi_thp1_eccite.h5ad'), inputs);
  const names = readdirSync(inputs)
    .filter((file) => file.endsWith('.h5ad'))
    .map((file) => file.replace('.h5ad', ''));
  const rows = [];
  for (const [title, file] of [
    ['NB LRT', 'nb_glm'],
    ['Wilcoxon', 'wilcoxon'],
    ['t-test', 't_test'],
  ]) {
    const [p, z, hits] = [[], [], []];
    for (const name of names) {
      const design = ['--perturbation-column', 'perturbation', '--control-label', 'others'];
      const out = analysed(join(inputs, `${name}.h5ad`), `guide-${name}`, ...design);
      const results = await readResults(out, file, ['pvalue', 'pvalue_adj', 'z_score']);
      const tested = [...results.layers.get('pvalue').keys()].filter((at) =>
        Number.isFinite(results.layers.get('pvalue')[at]),
      );
      p.push(...tested.map((at) => results.layers.get('pvalue')[at]));
      z.push(...tested.map((at) => results.layers.get('z_score')[at]));
      hits.push(...tested.filter((at) => results.layers.get('pvalue_adj')[at] <= 0.05));
    }
    // The median of χ² with one degree of freedom.
    const inflation = median(z.map((value) => value * value)) / 0.4549364;
    rows.push([
      title,
      p.length.toLocaleString('en'),
      `${(100 * share(p, (value) => value < 0.05)).toFixed(1)}%`,
      `${(100 * share(p, (value) => value < 0.01)).toFixed(2)}%`,
      `${(100 * share(p, (value) => value < 0.001)).toFixed(2)}%`,
      inflation.toFixed(3),
      String(hits.length),
    ]);
  }
  table(['', 'tests', 'p < 0.05', 'p < 0.01', 'p < 0.001', 'λ', 'at BH 5% within a guide'], rows);
};

const parts = { simulated, papalexi, guides };
if (!(what in parts)) {
  process.stderr.write('usage: node test/reference/validate.mjs simulated|papalexi|guides FOLDER\n');
  process.exitCode = 2;
} else await parts[what]();
