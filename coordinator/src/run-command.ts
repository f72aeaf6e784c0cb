import { createRequire } from 'node:module';
import { prepareH5adMetadata } from '@shardex/shared/h5ad';
import { connectCoordinator, processContext, requireSuccess, runCli, type CliServices } from './cli/index.js';

/** What the command line asks of the rest of this package. Loaded when asked for, so that `--help` answers at once. */
const services: CliServices = {
  async planJob(parameters, cluster) {
    const { planJob } = await import('./adapters/index.js');
    return planJob(parameters, cluster);
  },
  async runEmbedded(parameters, run, onUpdate, signal) {
    // Its thread loads the HDF5 library while this one loads the coordinator.
    prepareH5adMetadata();
    const { runEmbedded } = await import('./embedded-cluster.js');
    const { job, tracesLost } = await runEmbedded(parameters, run, onUpdate, signal);
    if (tracesLost !== null) process.stderr.write(`note: ${tracesLost}\n`);
    requireSuccess(job);
  },
  async serve(settings, signal) {
    const { serveCoordinator } = await import('./serve-coordinator.js');
    await serveCoordinator(settings, signal);
  },
  connect: connectCoordinator,
  async buildReport(folder, perturbations) {
    const { buildReport } = await import('./web/index.js');
    return buildReport(folder, perturbations);
  },
};

/**
 * The `shardex` command, all of it but `shardex worker`.
 *
 * @param argv - arguments without the names of Node and the script
 * @returns the exit code: 0 success, 1 failed job, 2 wrong use or bad input, 130 interrupted
 */
export function main(argv: readonly string[]): Promise<number> {
  const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };
  return runCli(argv, processContext(version, services));
}
