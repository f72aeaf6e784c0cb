#!/usr/bin/env node
// The `shardex` command. Committed as plain JavaScript so that `npm ci` can link it before anything is built.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [command, ...rest] = process.argv.slice(2);
const builtMain = new URL('../dist/main.js', import.meta.url);

async function run() {
  if (!existsSync(fileURLToPath(builtMain))) {
    process.stderr.write('shardex: the program is not built: run npm run build\n');
    return 2;
  }
  // The worker is a package of its own: neither of the two processes loads the other's code.
  if (command === 'worker') return (await import('@shardex/worker')).main(rest);
  return (await import(builtMain.href)).main(process.argv.slice(2));
}

process.exitCode = await run();
