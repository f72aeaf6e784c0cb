import type { Command } from 'commander';
import { parseWholeNumber } from '@shardex/shared/config';
import type { CliContext } from '../cli-context.js';
import { addCoordinatorOption, withCoordinator, type CoordinatorFlags } from '../coordinator-option.js';
import { renderJobList } from '../render/job-list.js';
import { plainJob } from '../progress/job-view.js';

export function addJobsCommand(program: Command, context: CliContext): void {
  const command = program.command('jobs').summary('list jobs, newest first').description('List jobs, newest first.');
  addCoordinatorOption(command)
    .option('--limit <N>', 'at most N jobs', '20')
    .option('--json', 'one JSON object a job')
    .action(async (flags: CoordinatorFlags & { readonly limit: string; readonly json?: boolean }) => {
      const limit = parseWholeNumber(flags.limit, '--limit', 1, 10_000);
      const jobs = await withCoordinator(flags, context, (client) => client.list(limit));
      const text =
        flags.json === true
          ? jobs.map((job) => `${JSON.stringify(plainJob(job))}\n`).join('')
          : renderJobList(jobs, context.nowMs(), context.stdout);
      context.stdout.write(text);
    });
}
