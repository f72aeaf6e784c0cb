import type { Command } from 'commander';
import { CONNECTION_SETTING_SPECS, parseAddress, resolveSettings } from '@shardex/shared/config';
import { channelSecurity } from '@shardex/shared/rpc';
import type { CliContext } from './cli-context.js';
import type { CoordinatorClient } from './coordinator-client.js';
import { DEFAULT_COORDINATOR_ADDRESS } from './coordinator-settings.js';

/** Files that say who calls, as typed. The token itself is no option: others could see it in the list of processes. */
export interface ConnectionFlags {
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tokenFile?: string | undefined;
}

export interface CoordinatorFlags extends ConnectionFlags {
  readonly coordinator?: string | undefined;
}

/** Adds what a coordinator may ask of its callers. */
export const addConnectionOptions = (command: Command): Command =>
  command
    .option('--tls-ca <FILE>', 'encrypt, and accept a coordinator that these authorities have signed (SHARDEX_TLS_CA)')
    .option('--tls-cert <FILE>', 'certificate to show to the coordinator (SHARDEX_TLS_CERT)')
    .option('--tls-key <FILE>', 'its private key (SHARDEX_TLS_KEY)')
    .option(
      '--token-file <FILE>',
      'file that holds a token (SHARDEX_TOKEN_FILE, or SHARDEX_TOKEN for the token itself)',
    );

/** Adds `--coordinator` to a command that talks to a running one, and how to. */
export const addCoordinatorOption = (command: Command): Command =>
  addConnectionOptions(
    command.option(
      '--coordinator <HOST:PORT>',
      `address of the coordinator (default: SHARDEX_COORDINATOR, or ${DEFAULT_COORDINATOR_ADDRESS})`,
    ),
  );

/**
 * A connection with the certificates and the token that flags and environment name.
 *
 * @throws InvalidInputError when they cannot be used
 */
export function openCoordinator(address: string, flags: ConnectionFlags, context: CliContext): CoordinatorClient {
  const { tlsCa, tlsCert, tlsKey, tokenFile } = flags;
  const inputs = { flags: { tlsCa, tlsCert, tlsKey, tokenFile }, environment: context.environment };
  const { values } = resolveSettings(CONNECTION_SETTING_SPECS, inputs);
  return context.services.connect(address, channelSecurity(values, context.environment, address));
}

/** The address by flag, then by `SHARDEX_COORDINATOR`, then the default. */
export function coordinatorAddress(flags: CoordinatorFlags, environment: CliContext['environment']): string {
  if (flags.coordinator !== undefined) return parseAddress(flags.coordinator, '--coordinator');
  const variable = environment['SHARDEX_COORDINATOR'] ?? '';
  return variable === '' ? DEFAULT_COORDINATOR_ADDRESS : parseAddress(variable, 'SHARDEX_COORDINATOR');
}

/** Calls `use` with a connection that is closed afterwards. */
export async function withCoordinator<Result>(
  flags: CoordinatorFlags,
  context: CliContext,
  use: (client: CoordinatorClient) => Promise<Result>,
): Promise<Result> {
  const client = openCoordinator(coordinatorAddress(flags, context.environment), flags, context);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
