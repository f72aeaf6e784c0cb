import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { parseConfigFile, resolveSettings, type ConfigFile } from '@shardex/shared/config';
import { ERROR_POLICIES, InvalidInputError, toShardexError } from '@shardex/shared/errors';
import { createLogger } from '@shardex/shared/telemetry';
import { WORKER_SETTING_SPECS, runWorker, type WorkerParts } from './adapters/index.js';

/**
 * `shardex worker`: takes tasks from a coordinator until it is told to stop.
 *
 * Settings come from flags, then `SHARDEX_…` variables, then the YAML file of `--config`. The log goes to stderr as one
 * JSON object a line; what ends the worker is said there in one sentence.
 *
 * @param argv - what follows `shardex worker`
 * @returns the exit code: that of `--drained-exit-code` (0) when it drained, 1 failed or stopped at once, 2 wrong use
 */
export async function main(argv: readonly string[], parts: WorkerParts = {}): Promise<number> {
  try {
    const flags = parseFlags(argv);
    const { values: settings } = resolveSettings(WORKER_SETTING_SPECS, {
      flags,
      environment: process.env,
      file: readConfig(flags['config'] ?? process.env['SHARDEX_CONFIG']),
    });
    const log = createLogger({ level: settings.logLevel, name: 'worker' });
    const exit = await runWorker(settings, log, parts);
    switch (exit.kind) {
      case 'drained':
        log.info('drained');
        return settings.drainedExitCode;
      case 'stopped':
        return say(`worker stopped at once (${exit.reason}); its tasks go elsewhere when their leases run out`, 1);
      case 'failed':
        return say(exit.error.sentence, ERROR_POLICIES[exit.error.tag].exitCode === 2 ? 2 : 1);
    }
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const known = error instanceof CommanderError ? fromCommander(error) : toShardexError(error, 'shardex worker');
    return say(known.sentence, ERROR_POLICIES[known.tag].exitCode === 2 ? 2 : 1);
  }
}

function parseFlags(argv: readonly string[]): Record<string, string | true | undefined> {
  const command = new Command('shardex worker')
    .description('Takes tasks from a coordinator until it is told to stop.')
    .option('--coordinator <host:port>', 'where the coordinator listens (default: 127.0.0.1:7443)')
    .option('--tls-ca <file>', 'encrypt, and accept a coordinator that these authorities have signed')
    .option('--tls-cert <file>', 'certificate of this worker (OU=worker); read again when it changes')
    .option('--tls-key <file>', 'its private key')
    .option('--token-file <file>', 'file that holds a token with the scope work (or SHARDEX_TOKEN, the token itself)')
    .option('--threads <n>', 'tasks at the same time (default: usable cores)')
    .option('--memory <size>', 'memory of all tasks together, as 4GiB (default: 80% of what this process may use)')
    .option('--log-level <level>', 'silent, error, warn, info or debug (default: info)')
    .option(
      '--otlp-endpoint <url>',
      'send traces to this collector, OTLP over HTTP (default: OTEL_… variables, or none)',
    )
    .option('--drain-grace-ms <ms>', 'time that running tasks get after SIGTERM or SIGINT (default: 20000)')
    .option('--drained-exit-code <n>', 'what to end with then; a Job of Kubernetes takes 0 for done (default: 0)')
    .option('--abandon-grace-ms <ms>', 'time that a cancelled task gets before its thread is ended (default: 5000)')
    .option('--coordinator-timeout-ms <ms>', 'end when the coordinator is away for so long (default: 0 = never)')
    .option('--health-port <port>', 'serve /metrics, /healthz and /readyz over HTTP')
    .option('--health-host <host>', 'where to serve them (default: 127.0.0.1)')
    .option('--exit-with-parent [pid]', 'end when the process that started this one does')
    .option('--config <file>', 'YAML file with the same settings; flags and SHARDEX_… variables come first')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .allowExcessArguments(false)
    .parse([...argv], { from: 'user' });
  return command.opts<Record<string, string | true | undefined>>();
}

function readConfig(path: string | true | undefined): ConfigFile | undefined {
  if (typeof path !== 'string' || path === '') return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw toShardexError(error, `reading ${path}`);
  }
  return parseConfigFile(text, path);
}

/** What commander says about wrong use, as one of our sentences. */
function fromCommander(error: CommanderError): InvalidInputError {
  const [first, suggestion] = error.message.replace(/^error: /, '').split('\n');
  const near = /^\(Did you mean (.+)\?\)$/.exec(suggestion ?? '');
  const hint = near === null ? 'add --help to see what is possible' : `did you mean ${near[1]}?`;
  return new InvalidInputError(first.replace(/\.$/, ''), { hint, cause: error });
}

function say(sentence: string, exitCode: number): number {
  process.stderr.write(`shardex worker: ${sentence.replace(/\s*\n\s*/g, ' ')}\n`);
  return exitCode;
}
