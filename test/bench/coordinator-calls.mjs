// node test/bench/coordinator-calls.mjs [TASKS] [WORKERS]
//
// What one coordinator bears: a real gRPC server and its real engine, and workers that pull and report at once, over loopback
// and in a process of their own. Prints calls a second and the coordinator's CPU time a call.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connectRpc } from '@shardex/shared/rpc';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { startCoordinator } from '../../coordinator/dist/coordinator-server.js';
import { RpcWorker } from '../../coordinator/dist/testing/rpc-worker.js';
import { ScriptedPlanner } from '../../coordinator/dist/testing/scripted-planner.js';

const [tasks, workers, address] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 100), process.argv[4]];

/** The workers' process: each has a connection of its own, as real ones do. */
async function work(at) {
  const clients = Array.from({ length: workers }, () => connectRpc(at));
  const all = await Promise.all(clients.map((client) => RpcWorker.register(client)));
  await Promise.all(
    all.map(async (worker) => {
      for (let lease = await worker.pull(1_000); lease !== null; lease = await worker.pull(1_000)) {
        await worker.complete(lease);
      }
    }),
  );
  for (const client of clients) client.close();
}

async function measure() {
  const stages = [{ name: 'fit', executor: 'workers' }];
  const planner = new ScriptedPlanner({ stages, tasksPerStage: tasks, memoryBytes: 1 });
  const coordinator = await startCoordinator({ planner });
  const parameters = { ...DEFAULT_DE_PARAMETERS, input: 'in.h5ad', output: 'out' };
  await coordinator.engine.submit({ parameters, existingOutput: 'refuse' });
  const [{ jobId }] = coordinator.engine.list(1);
  const child = fork(fileURLToPath(import.meta.url), [`${tasks}`, `${workers}`, coordinator.address]);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  // Without workers the job would never end.
  void gone.then((code) => {
    if (code !== 0) process.exit(1);
  });
  // From the first task to the last; coming and leaving are not counted.
  let begun = null;
  for await (const { view } of coordinator.engine.watch(jobId)) {
    if (begun === null && view.stages[0].tasksDone > 0) begun = { atMs: performance.now(), cpu: process.cpuUsage() };
    if (view.state !== 'succeeded' || begun === null) continue;
    const seconds = (performance.now() - begun.atMs) / 1000;
    const { user, system } = process.cpuUsage(begun.cpu);
    const calls = 2 * tasks;
    console.log(
      `${workers} workers, ${calls} calls in ${seconds.toFixed(1)} s: ${(calls / seconds).toFixed(0)} a second`,
    );
    console.log(`${((user + system) / calls).toFixed(0)} µs of CPU a call`);
  }
  await gone;
  await coordinator.stop({ graceMs: 0 });
}

await (address === undefined ? measure() : work(address));
