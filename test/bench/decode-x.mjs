/**
 * How fast X of an h5ad file is decoded: megabytes (1e6) of values and indices per second of processor time.
 *
 *   npm run build && node test/bench/decode-x.mjs FILE [MATRIX]
 */
import process from 'node:process';
import { openRowSource, readH5adMetadata } from '@shardex/shared/h5ad';
import { openByteSource } from '@shardex/shared/storage';

const MAX_NONZEROS = 1 << 20;
const [file, matrix = 'X'] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node test/bench/decode-x.mjs FILE [MATRIX]\n');
  process.exit(2);
}

const { descriptor } = await readH5adMetadata(file, { matrix, varNames: false });
const source = await openByteSource(file);
const rows = openRowSource(descriptor, source);

const started = process.hrtime.bigint();
const before = process.cpuUsage();
let nonzeros = 0;
let blocks = 0;
for await (const block of rows.blocks(0, rows.nRows, MAX_NONZEROS)) {
  nonzeros += block.indptr[block.nRows];
  blocks++;
}
const used = process.cpuUsage(before);
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
const cpuSeconds = (used.user + used.system) / 1e6;
await source.close();

const width = descriptor.data.type.bytes + (descriptor.kind === 'dense' ? 0 : descriptor.indices.type.bytes);
const elements = descriptor.kind === 'dense' ? descriptor.nRows * descriptor.nColumns : descriptor.nonzeroCount;
const megabytes = (elements * width) / 1e6;
process.stdout.write(
  `${JSON.stringify({
    matrix,
    kind: descriptor.kind,
    nonzeros,
    blocks,
    decodedMB: Math.round(megabytes),
    seconds: Number(seconds.toFixed(3)),
    cpuSeconds: Number(cpuSeconds.toFixed(3)),
    decodedMBPerCpuSecond: Math.round(megabytes / cpuSeconds),
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1e3),
  })}\n`,
);
