import { parentPort, workerData } from 'node:worker_threads';
import type { TaskAssignment } from '@shardex/shared/artifacts';
import { InvariantBrokenError } from '@shardex/shared/errors';
import type { RunTask } from '../tasks/index.js';
import { toErrorMessage, type FromThread, type ThreadData, type ToThread } from './thread-message.js';

/**
 * Entry of a compute thread: loads the task bodies, says `ready`, then runs one task at a time until it is ended.
 *
 * The main thread keeps the connection; here nothing but tasks runs, so a task may compute for minutes without a pause.
 */
const port = parentPort;
if (port === null) throw new InvariantBrokenError('compute-thread was started outside of a thread');

const data = workerData as ThreadData;
const abandonFlag = new Int32Array(data.abandonFlag);
const send = (message: FromThread): void => port.postMessage(message);

const { runTask } = (await import(data.taskModule)) as { readonly runTask: RunTask };

let current: AbortController | null = null;

async function run(assignment: TaskAssignment): Promise<void> {
  const controller = new AbortController();
  current = controller;
  let reportedAtMs = -Infinity;
  try {
    const report = await runTask(assignment, {
      signal: controller.signal,
      memoryBytes: data.memoryBytes,
      progress: (fraction) => {
        if (Atomics.load(abandonFlag, 0) !== 0) controller.abort();
        const nowMs = performance.now();
        if (nowMs - reportedAtMs < data.progressIntervalMs) return;
        reportedAtMs = nowMs;
        send({ kind: 'progress', fraction });
      },
    });
    send({ kind: 'completed', report });
  } catch (error) {
    send({ kind: 'failed', error: toErrorMessage(error, `running a ${assignment.spec.kind} task`) });
  } finally {
    current = null;
  }
}

port.on('message', (message: ToThread) => {
  if (message.kind === 'run') void run(message.assignment);
  else current?.abort();
});
send({ kind: 'ready' });
