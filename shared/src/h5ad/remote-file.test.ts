import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StorageUnavailableError } from '../errors/index.js';
import { loadH5wasm, takeDiagnostics, type H5Module } from './h5wasm-module.js';
import { PageCache } from './page-cache.js';
import { mountRemoteFile } from './remote-file.js';
import { H5adFileWriter } from './write-h5ad.js';

const PAGE = 512 << 10;

describe('the pages of an object', () => {
  const data = Uint8Array.from({ length: 5 * PAGE + 123 }, (_, i) => (i * 31) >> 3);
  const watched = () => {
    const requests: [number, number][] = [];
    const pages = new PageCache(data.length, (offset, length) => {
      requests.push([offset / PAGE, length]);
      return data.slice(offset, offset + length);
    });
    const read = (offset: number, length: number): boolean => {
      const target = new Uint8Array(length);
      pages.readInto(offset, target);
      return Buffer.compare(target, data.subarray(offset, offset + length)) === 0;
    };
    return { requests, read };
  };

  it('are read once, however small the pieces', () => {
    const { requests, read } = watched();
    for (const [offset, length] of [
      [100, 50],
      [0, 8],
      [PAGE - 4, 4],
    ]) {
      expect(read(offset, length)).toBe(true);
    }
    expect(requests).toEqual([[0, PAGE]]);
  });

  it('that one read needs come in one request, up to the end of the object', () => {
    const { requests, read } = watched();
    expect(read(10, data.length - 10)).toBe(true);
    expect(requests).toEqual([[0, data.length]]);
  });

  it('come in ever larger requests when they are read one after the other', () => {
    const { requests, read } = watched();
    for (let page = 0; page < 6; page++) expect(read(page * PAGE, 100)).toBe(true);
    expect(requests.map(([page]) => page)).toEqual([0, 1, 3]);
  });
});

describe('a remote object as a file of the HDF5 library', () => {
  let folder: string;
  let path: string;
  let module: H5Module;
  let fd: number;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-remote-'));
    path = join(folder, 'a.h5ad');
    const cells = Array.from({ length: 2000 }, (_, i) => `cell ${i}`);
    const writer = await H5adFileWriter.create(path, {
      obs: { index: cells, columns: {} },
      var: { index: ['g'], columns: {} },
      uns: {},
      dense: { X: 'f32', layers: [] },
    });
    await writer.writeRows('X', 0, new Float32Array(2000).fill(2));
    await writer.close();
    module = await loadH5wasm();
    fd = openSync(path, 'r');
  });
  afterAll(async () => {
    closeSync(fd);
    await rm(folder, { recursive: true, force: true });
  });

  const readLocal = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    expect(readSync(fd, bytes, 0, length, offset)).toBe(length);
    return bytes;
  };

  it('is read like the file itself', () => {
    const remote = mountRemoteFile(module, 's3://b/k', statSync(path).size, readLocal);
    const id = module.open(remote.path, module.H5F_ACC_RDONLY, false, -1, -1);
    expect(id).toBeGreaterThanOrEqual(0n);
    expect(module.get_names(id, '/', false)).toEqual(expect.arrayContaining(['X', 'obs', 'var']));
    expect(module.get_dataset_metadata(id, '/X').shape).toEqual([2000, 1]);
    module.close_file(id);
    remote.unmount();
    expect(remote.takeFailure()).toBeNull();
  });

  it('tells why it could not be read', () => {
    const remote = mountRemoteFile(module, 's3://b/k', statSync(path).size, () => {
      throw new StorageUnavailableError('the network is down');
    });
    expect(module.open(remote.path, module.H5F_ACC_RDONLY, false, -1, -1)).toBeLessThan(0n);
    expect(remote.takeFailure()?.message).toBe('the network is down');
    remote.unmount();
    takeDiagnostics();
  });

  it('is gone once it is unmounted, and cannot be written', () => {
    const remote = mountRemoteFile(module, 's3://b/k', statSync(path).size, readLocal);
    expect(module.open(remote.path, module.H5F_ACC_RDWR, false, -1, -1)).toBeLessThan(0n);
    remote.unmount();
    expect(module.open(remote.path, module.H5F_ACC_RDONLY, false, -1, -1)).toBeLessThan(0n);
    takeDiagnostics();
  });
});
