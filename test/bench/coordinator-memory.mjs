// node test/bench/coordinator-memory.mjs [--perturbations 250,500,1000] [--genes 40000] [--depth 1500] [--tests nb-glm]
//
// Whether the coordinator's memory grows with the number of perturbations: whole runs of screens with few, shallow cells, so
// that nearly all there is are (perturbation, gene) pairs, and the largest resident set of `shardex de` itself, in which trend
// and merge run. Prints Markdown.
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from './describe-machine.mjs';
import { measureProcess } from './measure-process.mjs';
import { renderFacts } from './render-report.mjs';
import { benchFolder, shardex, simulatedInput } from './simulated-input.mjs';

/** Enough for every fit to have something to do; what they find does not matter here. */
const CELLS_PER_PERTURBATION = 10;

const { values } = parseArgs({
  options: {
    perturbations: { type: 'string', default: '250,500,1000' },
    genes: { type: 'string', default: '40000' },
    depth: { type: 'string', default: '1500' },
    tests: { type: 'string', default: 'nb-glm' },
  },
});
const genes = Number(values.genes);

console.log(renderFacts(describeMachine(null).filter(([name]) => name !== 'peers')));
console.log(
  '| Perturbations | Pairs, million | Results GiB | Coordinator MiB | Largest worker MiB | merge s | Wall s |',
);
console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const perturbations of values.perturbations.split(',').map(Number)) {
  const cells = perturbations * CELLS_PER_PERTURBATION;
  const input = simulatedInput({ cells, genes, perturbations, depth: Number(values.depth), seed: 1 });
  const output = join(benchFolder, `output-${process.pid}`);
  mkdirSync(benchFolder, { recursive: true });
  try {
    const options = ['--tests', values.tests, '--workers', '2', '--quiet'];
    const run = await measureProcess([process.execPath, shardex, 'de', input, '--out', output, ...options]);
    const record = JSON.parse(readFileSync(join(output, 'run.json'), 'utf8'));
    const merge = record.stages.find(({ name }) => name === 'merge');
    const pairs = (perturbations * genes) / 1e6;
    const gibibytes = record.files.reduce((sum, name) => sum + statSync(join(output, name)).size, 0) / 2 ** 30;
    const mebibytes = [run.peakOtherBytes, run.peakWorkerBytes].map((bytes) => (bytes / 2 ** 20).toFixed(0));
    const times = [merge.seconds, run.wallSeconds].map((seconds) => seconds.toFixed(1));
    console.log(`| ${[perturbations, pairs, gibibytes.toFixed(2), ...mebibytes, ...times].join(' | ')} |`);
  } finally {
    rmSync(output, { recursive: true, force: true });
    rmSync(input, { force: true });
  }
}
