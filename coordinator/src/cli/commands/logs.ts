import type { Command } from 'commander';
import type { CliContext } from '../cli-context.js';
import { addCoordinatorOption, withCoordinator, type CoordinatorFlags } from '../coordinator-option.js';
import { plainEvent } from '../progress/job-view.js';
import { renderEvent } from '../render/event-line.js';
import { paintFor } from '../render/paint.js';

export function addLogsCommand(program: Command, context: CliContext): void {
  const command = program
    .command('logs')
    .summary('print the story of a job')
    .description('Print the story of a job: one line for each event since its submission.')
    .argument('<JOB>', 'id of the job');
  addCoordinatorOption(command)
    .option('--json', 'one JSON object an event')
    .action(async (jobId: string, flags: CoordinatorFlags & { readonly json?: boolean }) => {
      const events = await withCoordinator(flags, context, (client) => client.events(jobId));
      const paint = paintFor(context.stdout);
      for (const event of events) {
        const line = flags.json === true ? JSON.stringify(plainEvent(event)) : renderEvent(event, paint);
        context.stdout.write(`${line}\n`);
      }
    });
}
