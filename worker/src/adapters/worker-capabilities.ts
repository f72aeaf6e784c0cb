import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { formatMemorySize, TASK_MEMORY_SHARE, usableCores, usableMemory, type Machine } from '@shardex/shared/config';
import type { Logger } from '@shardex/shared/telemetry';
import type { WorkerCapabilities } from './coordinator-port.js';
import type { WorkerSettings } from './worker-settings.js';

/** What this worker offers: what its settings say, otherwise what the machine gives; the log says which. */
export function capabilitiesOf(
  settings: Pick<WorkerSettings, 'threads' | 'memory'>,
  machine: Machine,
  log: Logger,
): WorkerCapabilities {
  const cores = usableCores(machine);
  const memory = usableMemory(machine);
  const threads = settings.threads ?? cores.value;
  const memoryBytes = settings.memory ?? Math.floor(memory.value * TASK_MEMORY_SHARE);
  const perThread = formatMemorySize(memoryBytes / threads);
  log.info('starting compute threads', { threads, memoryBytes, perThread, cores, memory });
  if (memoryBytes > memory.value) {
    const usable = formatMemorySize(memory.value);
    log.warn(`--memory is more than the ${usable} that this process may use: it may be killed`, {
      memoryBytes,
      usable: memory.value,
      source: memory.source,
    });
  }
  return { version: packageVersion(), host: hostname(), pid: process.pid, threads, memoryBytes };
}

/** Version of this package; its description lies at the same place from the sources and from the build. */
function packageVersion(): string {
  const description = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return description.version;
}
