import type { JobEvent } from '@shardex/proto';
import { formatMoment } from './numbers.js';
import type { Paint } from './paint.js';

/** One event as one line, with what it is about where the text does not say so: `scan/0 at w-node-1: attempt 1`. */
export function renderEvent(event: JobEvent, paint: Pick<Paint, 'dim'>): string {
  const text = event.text === '' ? event.kind : event.text;
  const about = aboutOf(event, text);
  return `${paint.dim(formatMoment(event.unixMs))}  ${about === '' ? text : `${about}: ${text}`}`;
}

function aboutOf({ stage, taskId, workerId }: JobEvent, text: string): string {
  if (taskId === '') return text.includes(stage) ? '' : stage;
  // Without the job, which is the same in every line.
  const task = taskId.slice(taskId.indexOf('/') + 1);
  return workerId === '' ? task : `${task} at ${workerId}`;
}
