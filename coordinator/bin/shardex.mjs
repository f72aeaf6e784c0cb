#!/usr/bin/env node
// The `shardex` command. Committed as plain JavaScript so that `npm ci` can link it before anything is built.
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [command, ...rest] = process.argv.slice(2);
const builtMain = new URL('../dist/main.js', import.meta.url);
const bundle = new URL('../dist/bundle/', import.meta.url);

const writtenMs = (url) => statSync(url, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Whether there is a bundle, and tsc has built nothing since: whoever ran only tsc means to try that. */
function isBundleCurrent() {
  const bundledMs = writtenMs(new URL('main.js', bundle));
  const builds = ['proto', 'shared', 'coordinator', 'worker'].map((room) => `../../${room}/dist/.tsbuildinfo`);
  return bundledMs > 0 && builds.every((build) => writtenMs(new URL(build, import.meta.url)) <= bundledMs);
}

async function run() {
  if (!existsSync(fileURLToPath(builtMain))) {
    process.stderr.write('shardex: the program is not built: run npm run build\n');
    return 2;
  }
  const isBundled = isBundleCurrent();
  // The worker is a package of its own: neither of the two processes loads the other's code.
  if (command === 'worker') {
    const entry = isBundled ? new URL('worker.js', bundle).href : '@shardex/worker';
    return (await import(entry)).main(rest);
  }
  const entry = isBundled ? new URL('main.js', bundle) : builtMain;
  return (await import(entry.href)).main(process.argv.slice(2));
}

process.exitCode = await run();
// All is written by then. A SIGTERM that others pass on late (Slurm, Apptainer, tini) would kill a process that has drained while
// Node ends by itself: see onStopSignals.
process.once('beforeExit', (code) => process.exit(code));
