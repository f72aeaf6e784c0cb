// npm run bench [-- CASE…] [--repeat 3] [--thorough] [--list] [--json FILE]
//
// Runs every command of a case as a whole process, in turn and again, so that a slow minute of the machine falls on all of
// them, and prints a Markdown report: medians of wall time, CPU seconds and peak memory, and the ratio to the floor.
// Peers that need minutes run in the first round only; with --thorough in every one.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { floor } from './commands.mjs';
import { describeMachine } from './describe-machine.mjs';
import { measureProcess } from './measure-process.mjs';
import { median, renderCase, renderFacts } from './render-report.mjs';
import { benchFolder, simulatedInput } from './simulated-input.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    repeat: { type: 'string', default: '3' },
    thorough: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const repeat = Number(values.repeat);
const python = process.env.SHARDEX_PEER_PYTHON ?? null;

const caseNames = readdirSync(new URL('./cases/', import.meta.url))
  .filter((name) => name.endsWith('.mjs'))
  .map((name) => name.slice(0, -'.mjs'.length))
  .sort();

const loadCase = async (name) => ({ name, ...(await import(`./cases/${name}.mjs`)).default });

const say = (line) => process.stderr.write(`${line}\n`);

/** All runs of one case: rows in the order of its commands, the floor first. */
const runCase = async ({ name, input, commands }) => {
  say(`${name}: input`);
  const file = simulatedInput(input);
  const rows = [floor, ...commands].map((command) => ({
    command,
    name: command.name,
    runs: [],
    note: command.needsPeers && python === null ? 'not run: SHARDEX_PEER_PYTHON is not set' : undefined,
  }));
  for (let round = 1; round <= repeat; round++) {
    for (const row of rows) {
      if (row.note !== undefined || (row.command.once === true && round > 1 && !values.thorough)) continue;
      const output = join(benchFolder, `output-${process.pid}`);
      mkdirSync(benchFolder, { recursive: true });
      try {
        const run = await measureProcess(row.command.argv({ input: file, output, python }), { env: row.command.env });
        row.runs.push(run);
        say(`${name}: ${row.name}, run ${round} of ${repeat}: ${run.wallSeconds.toFixed(2)} s`);
      } catch (error) {
        // A command that fails once is left out, and the report says so; the others still run.
        row.runs.length = 0;
        row.note = `failed with ${String(error.message).split(':')[0]}`;
        say(`${name}: ${row.name}: ${error.message}`);
        process.exitCode = 1;
      } finally {
        rmSync(output, { recursive: true, force: true });
      }
    }
  }
  return rows;
};

const describeInput = (parameters) =>
  Object.entries(parameters)
    .map(([key, value]) => `${value.toLocaleString('en')} ${key}`)
    .join(', ')
    .replace(/(\S+) seed/, 'seed $1');

const unknown = positionals.filter((name) => !caseNames.includes(name));
if (unknown.length > 0 || !Number.isInteger(repeat) || repeat < 1) {
  say(unknown.length > 0 ? `no such case: ${unknown.join(', ')}` : '--repeat takes a whole number of at least 1');
  say(`cases: ${caseNames.join(', ')}`);
  process.exitCode = 2;
} else if (values.list) {
  for (const { name, description } of await Promise.all(caseNames.map(loadCase)))
    console.log(`${name}: ${description}`);
} else {
  const facts = describeMachine(python);
  console.log(renderFacts(facts));
  const report = [];
  for (const benchmark of await Promise.all((positionals.length > 0 ? positionals : caseNames).map(loadCase))) {
    const rows = await runCase(benchmark);
    const floorRuns = rows[0].runs.map(({ wallSeconds }) => wallSeconds);
    const shown = { ...benchmark, input: describeInput(benchmark.input) };
    console.log(renderCase(shown, rows, floorRuns.length > 0 ? median(floorRuns) : null));
    report.push({
      case: benchmark.name,
      input: benchmark.input,
      rows: rows.map(({ name, runs, note }) => ({ name, runs, note })),
    });
  }
  if (values.json)
    writeFileSync(values.json, `${JSON.stringify({ facts: Object.fromEntries(facts), report }, null, 2)}\n`);
}
