import type { Command } from 'commander';
import {
  environmentName,
  parseDeOptions,
  parseHttpAddress,
  parseRunOptions,
  thisMachine,
  type DeFlags,
  type DeParameters,
  type RunFlags,
  type RunOptions,
} from '@shardex/shared/config';
import { CancelledError, InvalidInputError } from '@shardex/shared/errors';
import { TEST_OUTPUTS } from '@shardex/shared/artifacts';
import type { Job } from '@shardex/proto';
import type { CliContext } from '../cli-context.js';
import { addConnectionOptions, openCoordinator, type ConnectionFlags } from '../coordinator-option.js';
import { addClusterOptions, addDeOptions, withAbsolutePaths } from '../de-option-flags.js';
import { untilInterrupted } from '../interrupt.js';
import { localCluster } from '../local-cluster.js';
import { followJob } from '../progress/follow-job.js';
import { cancelledJob, requireSuccess } from '../progress/job-outcome.js';
import { createProgressRenderer, type ProgressChoice, type ProgressRenderer } from '../progress/progress-renderer.js';
import { formatDuration } from '../render/numbers.js';

const EXAMPLES = `
Examples:
  $ shardex de screen.h5ad --out results
  $ shardex de screen.h5ad --out results --control-label NTC --tests nb-glm --workers 8 --memory 4GiB
  $ shardex de screen.h5ad --out results --coordinator head-node:7443

Results do not depend on the number of workers. Ctrl-C cancels the job; --resume goes on with it.`;

export function addDeCommand(program: Command, context: CliContext): void {
  const command = program
    .command('de')
    .summary('test every gene under every perturbation')
    .description('Test every gene under every perturbation against the control cells.')
    .argument('<FILE>', 'AnnData file (.h5ad), cells × genes, or s3://BUCKET/KEY');
  addDeOptions(command);
  command
    .option('--force', 'replace results that are in --out')
    .option('--resume', 'finish an interrupted run into the same --out');
  addClusterOptions(command);
  command
    .option(
      '--otlp-endpoint <URL>',
      'send traces to this collector, OTLP over HTTP (default: OTEL_… variables, or none)',
    )
    .option('--coordinator <HOST:PORT>', 'submit to a running cluster instead of starting one');
  addConnectionOptions(command);
  command
    .option('--quiet', 'no progress')
    .option('--json', 'progress as one JSON object a line, and the outcome on stdout')
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: AllFlags) => runDe(file, flags, context));
}

type AllFlags = DeFlags & RunFlags & ConnectionFlags & ProgressChoice & { readonly otlpEndpoint?: string };

/** Where an embedded cluster sends traces; a running one has its own settings. */
function otlpEndpointOf({ otlpEndpoint, coordinator }: AllFlags, { environment }: CliContext): string | null {
  if (coordinator !== undefined) {
    if (otlpEndpoint === undefined) return null;
    throw new InvalidInputError('--otlp-endpoint has no meaning with --coordinator', {
      hint: 'give it to the coordinator and to its workers',
    });
  }
  const name = environmentName('otlpEndpoint');
  const [text, source] =
    otlpEndpoint === undefined ? [environment[name] ?? '', name] : [otlpEndpoint, '--otlp-endpoint'];
  return text === '' && otlpEndpoint === undefined ? null : parseHttpAddress(text, source);
}

async function runDe(file: string, flags: AllFlags, context: CliContext): Promise<void> {
  const parameters = withAbsolutePaths(parseDeOptions(file, flags), context.folder);
  const run = parseRunOptions(flags);
  const otlpEndpoint = otlpEndpointOf(flags, context);
  const isTalking = flags.quiet !== true && flags.json !== true;
  if (isTalking && parameters.inputScale === 'log1p' && flags.tests === undefined) {
    context.stderr.write('note: log1p input is tested by wilcoxon and t-test; nb-glm needs counts\n');
  }
  const startedMs = context.nowMs();
  const renderer = createProgressRenderer(context, flags);
  await untilInterrupted(context, 'cancelling the job', (signal) =>
    executeJob(parameters, { ...run, otlpEndpoint, connection: flags }, renderer, context, signal),
  );
  const seconds = (context.nowMs() - startedMs) / 1000;
  if (flags.json === true) {
    const outcome = { state: 'succeeded', output: parameters.output, tests: parameters.tests, seconds };
    context.stdout.write(`${JSON.stringify(outcome)}\n`);
  } else if (isTalking) {
    const files = parameters.tests.flatMap((test) =>
      parameters.formats.map((format) => `${TEST_OUTPUTS[test].file}.${format}`),
    );
    context.stderr.write(`done in ${formatDuration(seconds)}: ${files.join(', ')} in ${parameters.output}\n`);
  }
}

type Execute = (
  parameters: DeParameters,
  run: RunOptions & { readonly connection: ConnectionFlags; readonly otlpEndpoint?: string | null },
  renderer: ProgressRenderer,
  context: CliContext,
  signal: AbortSignal,
) => Promise<void>;

const runEmbedded: Execute = async (parameters, run, renderer, context, signal) => {
  const { existingOutput, otlpEndpoint = null } = run;
  try {
    await context.services.runEmbedded(
      parameters,
      { ...localCluster(run, thisMachine(context.environment)), existingOutput, otlpEndpoint },
      (update) => renderer.update(update),
      signal,
    );
  } catch (error) {
    // However the cancellation surfaced, the user is told the same.
    throw error instanceof CancelledError && signal.aborted ? cancelledJob() : error;
  } finally {
    renderer.end();
  }
};

const submit: Execute = async (parameters, run, renderer, context, signal) => {
  const client = openCoordinator(run.coordinator ?? '', run.connection, context);
  try {
    const job: Job = await client.submit(parameters, run.existingOutput);
    renderer.update({ job, events: [] });
    requireSuccess(await followJob(client, job.id, renderer, { signal, onInterrupt: 'cancel' }));
  } finally {
    renderer.end();
    client.close();
  }
};

/** Runs a job to its end, on an embedded cluster or on the coordinator that `run` names. */
export const executeJob: Execute = (parameters, run, renderer, context, signal) =>
  (run.coordinator === null ? runEmbedded : submit)(parameters, run, renderer, context, signal);
