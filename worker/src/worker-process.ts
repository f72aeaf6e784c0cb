import { main } from './main.js';

/** Entry of a worker process: `node worker-process.js --coordinator HOST:PORT …`. */
process.exit(await main(process.argv.slice(2)));
