import type { Command } from 'commander';
import { InvalidInputError } from '@shardex/shared/errors';

/** Only for `shardex --help`: the launcher hands `shardex worker …` to the worker's own package. */
export function addWorkerCommand(program: Command): void {
  program
    .command('worker', { noHelp: false })
    .summary('run tasks for a coordinator')
    .description('Run tasks for a coordinator.')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new InvalidInputError('the worker was not started by its launcher', { hint: 'run shardex worker' });
    });
}
