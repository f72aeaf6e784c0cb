import type { Command } from 'commander';
import { parseAddress } from '@shardex/shared/config';
import type { CliContext } from './cli-context.js';
import type { CoordinatorClient } from './coordinator-client.js';
import { DEFAULT_COORDINATOR_ADDRESS } from './coordinator-settings.js';

export interface CoordinatorFlags {
  readonly coordinator?: string | undefined;
}

/** Adds `--coordinator` to a command that talks to a running one. */
export const addCoordinatorOption = (command: Command): Command =>
  command.option(
    '--coordinator <HOST:PORT>',
    `address of the coordinator (default: SHARDEX_COORDINATOR, or ${DEFAULT_COORDINATOR_ADDRESS})`,
  );

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
  const client = context.services.connect(coordinatorAddress(flags, context.environment));
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
