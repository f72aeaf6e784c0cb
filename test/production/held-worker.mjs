// A worker whose comparisons stop half-way, until they are let go: `node held-worker.mjs` with the flags of
// `shardex worker`, and what held-tasks.mjs wants in the environment.
import { main } from '@shardex/worker';

process.exitCode = await main(process.argv.slice(2), { taskModule: new URL('./held-tasks.mjs', import.meta.url) });
