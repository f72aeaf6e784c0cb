// node test/bench/scaling.mjs [--sizes 25000,100000,…] [--genes 8000] [--workers 2] [--repeat 1] [--json FILE] [--remove-inputs]
//
// How time and memory grow with the screen. Simulates screens of these numbers of cells, runs `shardex de` on each as a
// whole process, reads the time of every stage from run.json, and fits stage by stage, with non-negative coefficients,
// seconds = a + b · nonzeros + c · (perturbation, gene) pairs + d · bytes of output. Prints Markdown.
//
// What is measured is written to FILE at once; sizes that are there already are not run again.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from './describe-machine.mjs';
import { fitNonNegative } from './fit-costs.mjs';
import { measureProcess } from './measure-process.mjs';
import { median, renderFacts } from './render-report.mjs';
import { benchFolder, shardex, simulatedInput } from './simulated-input.mjs';

/** As real screens grow: more cells buy more perturbations, and more cells of each. */
const PERTURBATIONS = new Map([
  [25_000, 100],
  [100_000, 400],
  [400_000, 1_600],
  [1_000_000, 4_000],
]);
const perturbationsOf = (cells) => PERTURBATIONS.get(cells) ?? Math.max(2, Math.round(cells / 250));

/**
 * What the time of a stage may depend on beside a constant. Bytes of output are proportional to pairs as long as the tests
 * are the same, so no stage has both: nobody could tell them apart.
 */
const TERMS = {
  scan: ['nonzeros'],
  control: ['nonzeros'],
  'size-factors': ['nonzeros', 'pairs'],
  dispersion: ['nonzeros', 'pairs'],
  trend: ['pairs'],
  fit: ['nonzeros', 'pairs'],
  merge: ['outputBytes'],
};

/**
 * One size, measured.
 *
 * @typedef {object} Size
 * @property {number} cells
 * @property {number} genes
 * @property {number} perturbations
 * @property {number} nonzeros
 * @property {number} pairs
 * @property {number} inputBytes
 * @property {number} outputBytes
 * @property {{ wallSeconds: number, cpuSeconds: number | null, peakWorkerBytes: number, peakOtherBytes: number,
 *   stages: Record<string, { seconds: number, tasks: number }> }[]} runs
 */

/** @returns {Promise<Size>} */
const measureSize = async (cells, genes, workers, repeat, removeInputs) => {
  const perturbations = perturbationsOf(cells);
  const parameters = { cells, genes, perturbations, seed: 1 };
  say(`${cells} cells: input`);
  const input = simulatedInput(parameters);
  const output = join(benchFolder, `output-${process.pid}`);
  const size = {
    cells,
    genes,
    perturbations,
    nonzeros: 0,
    pairs: perturbations * genes,
    inputBytes: 0,
    outputBytes: 0,
  };
  size.inputBytes = statSync(input).size;
  const runs = [];
  for (let round = 1; round <= repeat; round++) {
    mkdirSync(benchFolder, { recursive: true });
    try {
      const argv = [process.execPath, shardex, 'de', input, '--out', output, '--workers', `${workers}`, '--quiet'];
      const run = await measureProcess(argv);
      const record = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
      size.nonzeros = record.input.nonzeros;
      size.outputBytes = readdirSync(output)
        .filter((name) => name.endsWith('.h5ad'))
        .reduce((sum, name) => sum + statSync(join(output, name)).size, 0);
      const stages = Object.fromEntries(record.stages.map(({ name, seconds, tasks }) => [name, { seconds, tasks }]));
      runs.push({ ...run, stages });
      say(`${cells} cells, run ${round} of ${repeat}: ${run.wallSeconds.toFixed(1)} s`);
    } finally {
      rmSync(output, { recursive: true, force: true });
    }
  }
  if (removeInputs) rmSync(input, { force: true });
  return { ...size, runs };
};

/** Whole number with thin spaces. */
const count = (value) => Math.round(value).toLocaleString('en').replaceAll(',', ' ');
const gibibytes = (bytes) => (bytes / 2 ** 30).toFixed(2);
const short = (value) => (value === 0 ? '0' : value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** @param {Size[]} sizes by number of cells @returns {string} Markdown: figures, fit, residuals, memory */
export const renderScaling = (sizes) => {
  const ofRuns = (size, what) => median(size.runs.map(what));
  const stages = Object.keys(sizes[0].runs[0].stages);
  const head = sizes.map(({ cells }) => `${count(cells)} cells`);
  const row = (name, cells) => `| ${name} | ${cells.join(' | ')} |`;
  const table = (title, columns) => [row(title, columns), `| --- |${' ---: |'.repeat(columns.length)}`];
  const measured = (stage) => sizes.map((size) => ofRuns(size, (run) => run.stages[stage].seconds));

  const figures = [
    ...table('', head),
    row(
      'perturbations',
      sizes.map((size) => count(size.perturbations)),
    ),
    row(
      'genes',
      sizes.map((size) => count(size.genes)),
    ),
    row(
      'nonzeros, million',
      sizes.map((size) => short(size.nonzeros / 1e6)),
    ),
    row(
      'pairs, million',
      sizes.map((size) => short(size.pairs / 1e6)),
    ),
    row(
      'input GiB',
      sizes.map((size) => gibibytes(size.inputBytes)),
    ),
    row(
      'output GiB',
      sizes.map((size) => gibibytes(size.outputBytes)),
    ),
    row(
      '**wall s**',
      sizes.map((size) => short(ofRuns(size, (run) => run.wallSeconds))),
    ),
    row(
      'CPU s',
      sizes.map((size) => (size.runs[0].cpuSeconds === null ? '–' : short(ofRuns(size, (run) => run.cpuSeconds)))),
    ),
    ...stages.map((stage) => row(`${stage} s`, measured(stage).map(short))),
    row(
      'largest worker MiB',
      sizes.map((size) => count(Math.max(...size.runs.map((run) => run.peakWorkerBytes)) / 2 ** 20)),
    ),
    row(
      'coordinator MiB',
      sizes.map((size) => count(Math.max(...size.runs.map((run) => run.peakOtherBytes)) / 2 ** 20)),
    ),
  ];
  const fits = stages.map((stage) => {
    const terms = TERMS[stage] ?? ['nonzeros', 'pairs'];
    // A stage that took less than a clock tick has no relative error.
    const times = measured(stage).map((seconds) => Math.max(0.001, seconds));
    const { coefficients, residuals } = fitNonNegative(
      sizes.map((size) => [1, ...terms.map((term) => size[term])]),
      times,
    );
    const of = (term) => {
      const at = terms.indexOf(term);
      return at < 0 ? '–' : short(coefficients[at + 1] * 1e9);
    };
    const percent = residuals.map((residual) => {
      const rounded = Math.round(100 * residual);
      return rounded === 0 ? '0 %' : `${rounded < 0 ? '−' : '+'}${Math.abs(rounded)} %`;
    });
    return row(stage, [short(coefficients[0]), of('nonzeros'), of('pairs'), of('outputBytes'), ...percent]);
  });
  const model = [
    ...table('Stage', [
      'a, s',
      'b, ns a nonzero',
      'c, ns a pair',
      'd, ns a byte',
      ...head.map((one) => `residual, ${one}`),
    ]),
    ...fits,
  ];
  return [...figures, '', ...model, ''].join('\n');
};

const say = (line) => process.stderr.write(`${line}\n`);

/** @param {string} path */
const readKnown = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).sizes : []);

const main = async () => {
  const { values } = parseArgs({
    options: {
      sizes: { type: 'string', default: [...PERTURBATIONS.keys()].join(',') },
      genes: { type: 'string', default: '8000' },
      workers: { type: 'string', default: '2' },
      repeat: { type: 'string', default: '1' },
      json: { type: 'string' },
      'remove-inputs': { type: 'boolean', default: false },
    },
  });
  const wanted = values.sizes.split(',').map(Number);
  const [genes, workers, repeat] = [values.genes, values.workers, values.repeat].map(Number);
  if (![...wanted, genes, workers, repeat].every((value) => Number.isInteger(value) && value > 0)) {
    say('--sizes takes numbers of cells, --genes, --workers and --repeat whole numbers of at least 1');
    process.exitCode = 2;
    return;
  }
  const facts = describeMachine(null).filter(([name]) => name !== 'peers');
  /** @type {Size[]} */
  const sizes = values.json ? readKnown(values.json) : [];
  for (const cells of wanted) {
    if (sizes.some((size) => size.cells === cells && size.genes === genes)) {
      say(`${cells} cells: measured before`);
      continue;
    }
    sizes.push(await measureSize(cells, genes, workers, repeat, values['remove-inputs']));
    sizes.sort((a, b) => a.cells - b.cells);
    if (!values.json) continue;
    // Whole or not at all: a run of hours must not lose its first sizes to an interrupt.
    writeFileSync(
      `${values.json}.partial`,
      `${JSON.stringify({ facts: Object.fromEntries(facts), workers, sizes }, null, 2)}\n`,
    );
    renameSync(`${values.json}.partial`, values.json);
  }
  console.log(renderFacts(facts));
  console.log(renderScaling(sizes.filter((size) => wanted.includes(size.cells) && size.genes === genes)));
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
