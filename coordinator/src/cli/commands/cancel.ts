import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addCoordinatorOption, withCoordinator, type CoordinatorFlags } from '../coordinator-option.js';
import { jobStateName } from '../progress/job-view.js';

export function addCancelCommand(program: Command, context: CliContext): void {
  const command = program
    .command('cancel')
    .summary('cancel a job')
    .description('Cancel a job; it writes no results.')
    .argument('<JOB>', 'id of the job');
  addCoordinatorOption(command)
    .option('--reason <TEXT>', 'kept in the story of the job', 'cancelled at the command line')
    .action(async (jobId: string, flags: CoordinatorFlags & { readonly reason: string }) => {
      const job = await withCoordinator(flags, context, (client) => client.cancel(jobId, flags.reason));
      context.stdout.write(`job ${job.id}: ${jobStateName(job.state)}\n`);
    });
}
