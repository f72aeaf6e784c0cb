import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Changes one byte in the middle of what a task left. */
export async function flipByte(scratch: string, task: string): Promise<void> {
  const [stage, number] = task.split('/').slice(-2);
  const [run] = await readdir(scratch);
  const file = await open(join(scratch, run, stage, `${number.padStart(6, '0')}.bundle`), 'r+');
  try {
    const middle = (await file.stat()).size >> 1;
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, middle);
    byte[0] ^= 0x55;
    await file.write(byte, 0, 1, middle);
  } finally {
    await file.close();
  }
}
