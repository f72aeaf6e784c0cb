import { ResultLostError, ShardexError } from '../errors/index.js';
import type { ByteSource, ObjectStore } from '../storage/index.js';
import { BundleReader } from './array-bundle.js';

/**
 * Opens an object that an earlier stage committed. Whatever of it turns out to be missing or damaged, now or when its
 * arrays are read, has to be made again.
 *
 * @throws ResultLostError, naming the object in `details.output`
 * @throws StorageUnavailableError when the storage does not answer
 */
export async function openArtifact<Meta>(store: ObjectStore, name: string): Promise<BundleReader<Meta>> {
  const lost = (what: string, cause?: unknown): ResultLostError =>
    new ResultLostError(`${name} in ${store.uri} ${what}`, { cause, details: { output: name } });
  let source: ByteSource | null = null;
  try {
    source = await store.open(name);
    return await BundleReader.open<Meta>(source, (_, where) => lost(`is damaged (${where})`));
  } catch (error) {
    await source?.close();
    const isOurs = error instanceof ShardexError && (error.tag === 'InvalidInput' || error.tag === 'CorruptData');
    throw isOurs ? lost('is gone or cut short', error) : error;
  }
}
