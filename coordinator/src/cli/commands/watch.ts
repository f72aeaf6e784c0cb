import type { Command } from 'commander';
import { CancelledError } from '@shardex/shared/errors';
import type { CliContext } from '../cli-context.js';
import { addCoordinatorOption, withCoordinator, type CoordinatorFlags } from '../coordinator-option.js';
import { untilInterrupted } from '../interrupt.js';
import { followJob } from '../progress/follow-job.js';
import { requireSuccess } from '../progress/job-outcome.js';
import { hasEnded, jobSeconds } from '../progress/job-view.js';
import { createProgressRenderer, type ProgressChoice } from '../progress/progress-renderer.js';
import { formatDuration } from '../render/numbers.js';

export function addWatchCommand(program: Command, context: CliContext): void {
  const command = program
    .command('watch')
    .summary('follow a job until it ends')
    .description('Follow a job until it ends; the exit code is that of the job. Ctrl-C leaves the job running.')
    .argument('<JOB>', 'id of the job');
  addCoordinatorOption(command)
    .option('--quiet', 'no progress')
    .option('--json', 'progress as one JSON object a line')
    .action((jobId: string, flags: CoordinatorFlags & ProgressChoice) =>
      withCoordinator(flags, context, async (client) => {
        const renderer = createProgressRenderer(context, flags);
        const job = await untilInterrupted(context, 'leaving the job to itself', (signal) =>
          followJob(client, jobId, renderer, { signal, onInterrupt: 'leave' }),
        );
        if (!hasEnded(job)) {
          throw new CancelledError(`job ${jobId} goes on`, { hint: `stop it with shardex cancel ${jobId}` });
        }
        requireSuccess(job);
        if (flags.quiet === true || flags.json === true) return;
        context.stderr.write(
          `done in ${formatDuration(jobSeconds(job, context.nowMs()))}: results in ${job.spec?.output ?? '?'}\n`,
        );
      }),
    );
}
