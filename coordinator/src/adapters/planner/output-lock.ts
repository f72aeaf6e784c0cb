import { systemClock } from '../clock.js';
import { FolderLock } from '../lock/index.js';

/**
 * Takes an output folder, or prefix on S3, for one run: the second one would clear away what the first has half written.
 *
 * @throws InvalidInputError, naming the process that writes there
 */
export const takeOutput = (output: string): Promise<FolderLock> =>
  FolderLock.take(output, {
    clock: systemClock,
    refusal: 'another run is writing to',
    hint: 'wait for it to end, or choose another --out',
  });
