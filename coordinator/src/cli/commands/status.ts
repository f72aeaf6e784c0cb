import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addCoordinatorOption, withCoordinator, type CoordinatorFlags } from '../coordinator-option.js';
import { renderJob } from '../render/job-list.js';
import { plainJob } from '../progress/job-view.js';

export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program
    .command('status')
    .summary('show one job and its stages')
    .description('Show one job and its stages.')
    .argument('<JOB>', 'id of the job');
  addCoordinatorOption(command)
    .option('--json', 'as one JSON object')
    .action(async (jobId: string, flags: CoordinatorFlags & { readonly json?: boolean }) => {
      const job = await withCoordinator(flags, context, (client) => client.get(jobId));
      context.stdout.write(
        flags.json === true ? `${JSON.stringify(plainJob(job))}\n` : renderJob(job, context.nowMs(), context.stdout),
      );
    });
}
