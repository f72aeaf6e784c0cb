import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseConfigFile, resolveSettings, type ConfigFile } from '@shardex/shared/config';
import { toShardexError } from '@shardex/shared/errors';
import type { CliContext } from '../cli-context.js';
import {
  COORDINATOR_SETTING_SPECS,
  DEFAULT_COORDINATOR_ADDRESS,
  type CoordinatorSettings,
} from '../coordinator-settings.js';
import { absolutePath } from '../de-option-flags.js';
import { untilInterrupted } from '../interrupt.js';

const NOTES = `
Every option can also be set by an environment variable (--lease-ms is SHARDEX_LEASE_MS) or a line of the --config file
("leaseMs: 30000"); flags win over the environment, the environment over the file.

Examples:
  $ shardex coordinator --listen 0.0.0.0:7443 --tls-cert tls.crt --tls-key tls.key --tls-ca ca.crt --tokens tokens
  $ SHARDEX_LISTEN=0.0.0.0:7443 shardex coordinator --config shardex.yaml`;

export function addCoordinatorCommand(program: Command, context: CliContext): void {
  program
    .command('coordinator')
    .summary('plan jobs and hand their tasks to workers')
    .description('Plan jobs and hand their tasks to workers, until stopped.')
    .option('--listen <HOST:PORT>', `address for workers and clients (default: ${DEFAULT_COORDINATOR_ADDRESS})`)
    .option('--tls-cert <FILE>', 'certificate of this coordinator, PEM; read again when it changes (default: no TLS)')
    .option('--tls-key <FILE>', 'its private key')
    .option('--tls-ca <FILE>', 'who signs certificates of workers (OU=worker) and clients (OU=client)')
    .option(
      '--tokens <FILE>',
      'bearer tokens, one a line: NAME SCOPES SHA256, with scopes of read, submit, manage and work',
    )
    .option('--allow-input <LIST>', 'folders and s3:// prefixes that jobs may read (default: all)')
    .option('--allow-output <LIST>', 'folders and s3:// prefixes that jobs may write to (default: all)')
    .option('--max-jobs-per-user <N>', 'jobs of one user at the same time (default: 100)')
    .option('--max-requests-per-second <N>', 'requests of one peer; 0: no limit (default: 500)')
    .option('--allow-insecure', 'listen beyond this machine without TLS or authentication (default: no)')
    .option('--metrics-port <PORT>', 'serve a page, /metrics, /healthz and /readyz over HTTP (default: not at all)')
    .option('--metrics-host <HOST>', 'where to serve them (default: 127.0.0.1)')
    .option('--state <DIR>', 'keep jobs here, and go on with them after a restart (default: in memory only)')
    .option('--lease-ms <N>', 'a task whose worker is silent this long goes elsewhere (default: 30000)')
    .option('--max-attempts <N>', 'attempts at a task before its job fails (default: 4)')
    .option('--task-timeout-ms <N>', 'a task that takes longer is halved; 0: no limit (default: 3600000)')
    .option('--task-memory <SIZE>', 'memory that a task is cut for at most (default: 2GiB)')
    .option('--task-nonzeros <N>', 'nonzeros that a task is cut for (default: by the number of workers)')
    .option('--log-level <LEVEL>', 'silent, error, warn, info or debug (default: info)')
    .option(
      '--otlp-endpoint <URL>',
      'send traces to this collector, OTLP over HTTP (default: OTEL_… variables, or none)',
    )
    .option('--config <FILE>', 'YAML file with the same settings')
    .addHelpText('after', NOTES)
    .action(async (flags: Readonly<Record<string, string | boolean | undefined>>) => {
      const { config = context.environment['SHARDEX_CONFIG'], ...settings } = flags;
      const file =
        typeof config === 'string' && config !== ''
          ? await readConfigFile(absolutePath(context.folder, config))
          : undefined;
      const inputs = { flags: settings, environment: context.environment, file };
      const { values } = resolveSettings<CoordinatorSettings>(COORDINATOR_SETTING_SPECS, inputs);
      const state = values.state === null ? null : absolutePath(context.folder, values.state);
      // All that it says is its log, one JSON object a line; also that it stops.
      await untilInterrupted(context, null, (signal) => context.services.serve({ ...values, state }, signal));
    });
}

async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw toShardexError(error, `reading ${path}`);
  }
  return parseConfigFile(text, path);
}
