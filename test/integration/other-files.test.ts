import { join } from 'node:path';
import { openH5adMetadata, openRowSource } from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';
import { expect, it } from 'vitest';
import { describeWithPeers, runPeerScript } from '../support/peers.js';
import { withFolder } from '../support/shardex.js';
import { writeSmallH5ad } from '../support/small-h5ad.js';

/** Puts in the place of a dataset one whose values lie in another file; the way, the file and the dataset come in as arguments. */
const MOVE_OUT = `
import sys, h5py, numpy
way, folder, node = sys.argv[1:]
other, raw = folder + '/other.h5', folder + '/raw.bin'
with h5py.File(folder + '/in.h5ad', 'a') as file:
    values = file[node][...].astype('S16') if file[node].dtype == object else file[node][...]
    open(raw, 'wb').write(values.tobytes())
    with h5py.File(other, 'w') as outside:
        outside['values'] = values
    del file[node]
    if way == 'link':
        file[node] = h5py.ExternalLink(other, '/values')
    elif way == 'external storage':
        file.create_dataset(node, values.shape, values.dtype, external=[(raw, 0, values.nbytes)])
    else:
        layout = h5py.VirtualLayout(values.shape, values.dtype)
        layout[:] = h5py.VirtualSource(other, 'values', values.shape, values.dtype)
        file.create_virtual_dataset(node, layout)
print("null")
`;

/** Names of the perturbations, and the sum of X. */
async function read(path: string): Promise<{ readonly labels: readonly string[]; readonly sum: number }> {
  const session = openH5adMetadata(path);
  const source = await openByteSource(path);
  try {
    const { columns, descriptor } = await session.read({ matrix: 'X', obsColumns: ['perturbation'] });
    const labels = columns[0].kind === 'categorical' ? columns[0].categories : [];
    if (descriptor === null) throw new RangeError('no descriptor');
    let sum = 0;
    for await (const { values } of openRowSource(descriptor, source).blocks(0, descriptor.nRows, 1 << 16))
      for (const value of values) sum += Number(value);
    return { labels, sum };
  } finally {
    await session.close();
    await source.close();
  }
}

describeWithPeers('a file whose values lie in another file', (python) => {
  it.each(
    ['link', 'external storage', 'virtual dataset'].flatMap((way) =>
      ['obs/perturbation/categories', 'X'].map((node) => ({ way, node })),
    ),
  )('is refused, not read through: $node by $way', ({ way, node }) =>
    withFolder(async (folder) => {
      const path = join(folder, 'in.h5ad');
      const counts = [
        [1, 2],
        [3, 4],
      ];
      await writeSmallH5ad(path, counts, 2, { storage: 'dense', compression: null });
      expect(await read(path)).toEqual({ labels: ['control', 'a'], sum: 10 });
      await runPeerScript(python, MOVE_OUT, [way, folder, node]);
      await expect(read(path)).rejects.toMatchObject({
        tag: 'UnsupportedData',
        message: expect.stringMatching(new RegExp(`${node}.* in (another file|other files)`)) as unknown,
      });
    }),
  );
});
