// npx tsx test/bench/simulate-cluster.ts [--screens K562,Feng,X-Atlas] [--workers 10,100,1000] [--storage 1,10,40]
//   [--task-memory GiB] [--straggler 5] [--double-after SECONDS]
//
// What a job would do on clusters that nobody has at hand: the coordinator's own state machine and planner, with workers,
// storage and network that are arithmetic. Prints Markdown: a table of runs, and one of stages for each screen.
import { parseArgs } from 'node:util';
import { simulateCluster, type ClusterModel, type SimulationOutcome } from './simulation/cluster-simulation.js';
import { SCREENS } from './simulation/screens.js';

const { values } = parseArgs({
  options: {
    screens: { type: 'string', default: 'K562,Feng,X-Atlas' },
    workers: { type: 'string', default: '10,100,1000' },
    storage: { type: 'string', default: '10' },
    'task-memory': { type: 'string', default: '2' },
    straggler: { type: 'string', default: '5' },
    'double-after': { type: 'string', default: '5' },
    'call-us': { type: 'string', default: '400' },
  },
});

const numbers = (text: string): number[] => text.split(',').map(Number);

/** Speeds of machines of one kind differ by about this much. */
const SPEED_SIGMA = 0.15;

const modelOf = (workers: number, gigabytes: number): ClusterModel => ({
  workers,
  bytesPerSecond: gigabytes * 1e9,
  bytesPerSecondEach: 1.2e9,
  requestSeconds: 0.001,
  requestsAtOnce: 64,
  callSeconds: Number(values['call-us']) / 1e6,
  taskMemoryBytes: Number(values['task-memory']) * 2 ** 30,
  speedSigma: SPEED_SIGMA,
  stragglerFactor: Number(values.straggler),
  seed: 1,
  options: { doubleAfterMs: Number(values['double-after']) * 1000 },
});

const short = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(2));
const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;

function row(workers: number, gigabytes: number, outcome: SimulationOutcome): string {
  const { seconds, stages, doubled, outrun, bytes, machine } = outcome;
  const cells = [
    workers,
    gigabytes,
    short(seconds),
    ...stages.map((stage) => `${short(stage.seconds)}${stage.tasks === 0 ? '' : ` (${stage.tasks})`}`),
    short(bytes / 1e12),
    share(outcome.storageSaturatedSeconds, seconds),
    share(outcome.coordinatorBusySeconds, seconds),
    short(1000 * outcome.longestCallWaitSeconds),
    `${doubled}, ${outrun}`,
    `${((1000 * machine.totalMs) / machine.steps).toFixed(1)}, ${machine.longestMs.toFixed(0)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

for (const screen of SCREENS.filter(({ name }) => values.screens.split(',').some((part) => name.startsWith(part)))) {
  const nonzeros = (screen.cells * screen.nonzerosPerCell) / 1e9;
  console.log(
    `### ${screen.name}: ${screen.cells / 1e6} million cells, ${screen.genes} genes, ${screen.perturbations} perturbations, ${nonzeros.toFixed(1)} billion nonzeros\n`,
  );
  let isFirst = true;
  for (const workers of numbers(values.workers)) {
    for (const gigabytes of numbers(values.storage)) {
      const outcome = simulateCluster(screen, modelOf(workers, gigabytes));
      if (isFirst) {
        const names = outcome.stages.map(({ name }) => `${name} s`);
        console.log(
          `| Workers | GB/s | **Job s** | ${names.join(' | ')} | TB moved | Storage full | Coordinator busy | Longest wait ms | Doubled, outrun | Step µs, longest ms |`,
        );
        console.log(`|${' ---: |'.repeat(names.length + 9)}`);
        isFirst = false;
      }
      console.log(row(workers, gigabytes, outcome));
    }
  }
  console.log('');
}
