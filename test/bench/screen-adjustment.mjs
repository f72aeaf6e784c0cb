// node test/bench/screen-adjustment.mjs [--millions 1.6,32,800] [--signal 0.02] [--chunk 524288]
//
// Time and memory of Benjamini–Hochberg over a screen of so many million p-values, which are made as they are needed: uniform
// but for a share `signal` whose density falls as p^(−5/6), so that 6 in a hundred become steps with 0.02. Prints Markdown: nanoseconds of processor a p-value and phase, what the engine says
// that it holds, and how much the resident set grew at most. Run after `npm run build`.
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { GlobalBenjaminiHochberg } from '@shardex/shared/stats';
import { UnnamedFile } from '@shardex/shared/storage';

const { values } = parseArgs({
  options: {
    millions: { type: 'string', default: '1.6,32,800' },
    signal: { type: 'string', default: '0.02' },
    chunk: { type: 'string', default: `${2 ** 19}` },
  },
});
const signal = Number(values.signal);

/** The p-values of a screen in chunks, the same every time. */
function* pValues(total) {
  const chunk = new Float64Array(Number(values.chunk));
  let [a, b] = [0x9e3779b9, 0x243f6a88];
  const word = () => {
    // xorshift64 in two halves
    let t = a ^ (a << 10);
    t ^= t >>> 13;
    a = b;
    b = (b ^ (b >>> 10) ^ t) | 0;
    return (Math.imul(b, 0x2545f491) ^ (b >>> 15)) >>> 0;
  };
  for (let begin = 0; begin < total; begin += chunk.length) {
    const some = chunk.subarray(0, Math.min(chunk.length, total - begin));
    for (let i = 0; i < some.length; i++) {
      const uniform = (word() * 2 ** 21 + (word() >>> 11)) / 2 ** 53;
      some[i] = word() < signal * 2 ** 32 ? uniform ** 6 : uniform;
    }
    yield some;
  }
}

const residentBytes = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);

console.log(
  '| million p-values | passes | add | collect | sort | adjust | steps on file | held MiB | resident MiB | of that, before |',
);
console.log('| ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |');
for (const total of values.millions.split(',').map((millions) => Number(millions) * 1e6)) {
  const before = residentBytes();
  let [held, resident, passes] = [0, 0, 0];
  const seconds = { add: 0, collect: 0, sort: 0, adjust: 0 };
  const look = () => {
    held = Math.max(held, family.heldBytes);
    resident = Math.max(resident, residentBytes());
  };
  const file = () => {
    const inner = UnnamedFile.beside(join(tmpdir(), 'screen'));
    const looked = (access) => (bytes, position) => {
      look();
      access.call(inner, bytes, position);
    };
    return { write: looked(inner.write), read: looked(inner.read), close: () => inner.close() };
  };
  const family = new GlobalBenjaminiHochberg(file);
  const timed = (phase, work) => {
    const begin = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(begin);
    seconds[phase] += (user + system) / 1e6;
    return result;
  };
  const each = (phase, work) => {
    for (const some of pValues(total)) timed(phase, () => work(some));
    look();
  };
  each('add', (some) => family.add(some));
  for (; timed('sort', () => family.nextPass()); passes++) each('collect', (some) => family.collect(some));
  look();
  each('adjust', (some) => family.adjustAll(some, some));
  const isOnFile = family.isOnFile;
  family.close();
  const nanoseconds = Object.values(seconds).map((sum) => ((sum / total) * 1e9).toFixed(1));
  const mebibytes = [held, resident, before].map((bytes) => (bytes / 2 ** 20).toFixed(0));
  console.log(`| ${[total / 1e6, passes, ...nanoseconds, isOnFile ? 'yes' : 'no', ...mebibytes].join(' | ')} |`);
}
