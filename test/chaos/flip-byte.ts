import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** What of a fit is read again when all are done, although its rows may have been written to the results before. */
const READ_AGAIN = 'nb-glm/pvalue';

/** Changes one byte in the middle of what a task left; of a fit, in the middle of an array that is surely still to be read. */
export async function flipByte(scratch: string, task: string): Promise<void> {
  const [stage, number] = task.split('/').slice(-2);
  const [run] = await readdir(scratch);
  const file = await open(join(scratch, run, stage, `${number.padStart(6, '0')}.bundle`), 'r+');
  try {
    const middle = stage === 'fit' ? await middleOf(file, READ_AGAIN) : (await file.stat()).size >> 1;
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, middle);
    byte[0] ^= 0x55;
    await file.write(byte, 0, 1, middle);
  } finally {
    await file.close();
  }
}

/** Where the middle of a float64 array of a bundle lies. @see `encodeBundle` of shared/src/artifacts/array-bundle.ts */
async function middleOf(file: FileHandle, name: string): Promise<number> {
  const prefix = Buffer.alloc(12);
  await file.read(prefix, 0, 12, 0);
  const json = Buffer.alloc(prefix.readUInt32LE(4));
  await file.read(json, 0, json.length, 12);
  const { arrays } = JSON.parse(json.toString()) as { arrays: { name: string; offset: number; length: number }[] };
  const array = arrays.find((one) => one.name === name);
  if (array === undefined) throw new Error(`the bundle has no array ${name}`);
  const base = Math.ceil((12 + json.length) / 64) * 64;
  return base + array.offset + 4 * array.length;
}
