// Compiles the kernels: shared/assembly/index.ts → shared/wasm/kernels.wasm, only when a source is newer than the module.
// `node shared/assembly/build.mjs --force` compiles in any case; `--text` also writes the readable form beside it.
import { mkdir, readdir, rename, stat, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

const sources = fileURLToPath(new URL('.', import.meta.url));
const folder = fileURLToPath(new URL('../wasm/', import.meta.url));
const target = join(folder, 'kernels.wasm');

const modified = async (path) => (await stat(path).catch(() => null))?.mtimeMs ?? 0;

const newestSource = async () => {
  const names = (await readdir(sources)).filter((name) => name.endsWith('.ts') || name.endsWith('.mjs'));
  return Math.max(...(await Promise.all(names.map((name) => modified(join(sources, name))))));
};

const compile = async () => {
  await mkdir(folder, { recursive: true });
  // Under a name of its own and then renamed: two builds at once leave one whole module, never half of one.
  const partial = join(folder, `kernels.${process.pid}.partial.wasm`);
  const text = process.argv.includes('--text') ? ['--textFile', join(folder, 'kernels.wat')] : [];
  const { error, stderr } = await asc.main([
    join(sources, 'index.ts'),
    ...['--outFile', partial, ...text],
    ...['--optimizeLevel', '3', '--shrinkLevel', '0', '--noAssert'],
    // No garbage-collected objects: kernels take raw addresses, so the runtime stays empty.
    ...['--runtime', 'stub', '--enable', 'simd', '--enable', 'threads'],
    // The host makes the memory. Shared, because views of a shared memory survive its growth.
    ...['--importMemory', '--noExportMemory', '--sharedMemory', '--zeroFilledMemory'],
    ...['--initialMemory', '1', '--maximumMemory', '65536'],
  ]);
  if (error) {
    await rm(partial, { force: true });
    process.stderr.write(stderr.toString());
    process.exitCode = 1;
    return;
  }
  await rename(partial, target);
  process.stdout.write(`kernels.wasm: ${(await stat(target)).size} bytes\n`);
};

if (process.argv.includes('--force') || (await modified(target)) <= (await newestSource())) await compile();
