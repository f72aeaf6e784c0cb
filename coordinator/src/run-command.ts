import { createRequire } from 'node:module';
import { connectCoordinator, processContext, requireSuccess, runCli, type CliServices } from './cli/index.js';

/** What the command line asks of the rest of this package. Loaded when asked for, so that `--help` answers at once. */
const services: CliServices = {
  async planJob(parameters, cluster) {
    const { planJob } = await import('./adapters/index.js');
    return planJob(parameters, cluster);
  },
  async runEmbedded(parameters, run, onUpdate, signal) {
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
 * Runs a command.
 *
 * @param argv - arguments without the names of Node and the script
 * @returns the exit code
 */
export function runCommand(argv: readonly string[]): Promise<number> {
  const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string };
  return runCli(argv, processContext(version, services));
}
