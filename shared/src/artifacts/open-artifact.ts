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

/** Objects that are looked at side by side: more would take more descriptors than a process may have. */
const LOOKED_AT_ONCE = 32;

/** Those of the objects that are gone, cut short or without a sound header. What else is wrong shows when their arrays are read. */
export async function lostArtifacts(store: ObjectStore, names: readonly string[]): Promise<string[]> {
  const lost = new Set<string>();
  const left = names.values();
  const lane = async (): Promise<void> => {
    for (const name of left) if (!(await isSound(store, name))) lost.add(name);
  };
  await Promise.all(Array.from({ length: LOOKED_AT_ONCE }, lane));
  return names.filter((name) => lost.has(name));
}

async function isSound(store: ObjectStore, name: string): Promise<boolean> {
  try {
    await (await openArtifact(store, name)).close();
    return true;
  } catch (error) {
    if (error instanceof ResultLostError) return false;
    throw error;
  }
}
