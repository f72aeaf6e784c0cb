// Loaded by a process of ours (--import): its wall clock is off by as many milliseconds as the file named by
// SHARDEX_CHAOS_CLOCK says, from the moment that there is one. The first look at a clock that jumped is said in the log.
import { readFileSync, writeSync } from 'node:fs';

const SystemDate = Date;
const file = process.env['SHARDEX_CHAOS_CLOCK'] ?? '';
let isTold = false;

function offsetMs() {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return 0;
  }
  if (!isTold) writeSync(2, '{"text":"the clock has jumped"}\n');
  isTold = true;
  return Number(text);
}

globalThis.Date = class Date extends SystemDate {
  constructor(...args) {
    if (args.length === 0) super(SystemDate.now() + offsetMs());
    else super(...args);
  }

  static now() {
    return SystemDate.now() + offsetMs();
  }
};
