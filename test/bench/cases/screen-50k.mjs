import { fileURLToPath } from 'node:url';
import { peer, shardexDe } from '../commands.mjs';

const decodeScript = fileURLToPath(new URL('../decode-x.mjs', import.meta.url));

export default {
  description: 'A screen of 50,000 cells on two workers, from start of the process to closed result files.',
  input: { cells: 50_000, genes: 8000, perturbations: 200, seed: 1 },
  commands: [
    { name: 'shardex only decodes X', needsPeers: false, argv: ({ input }) => [process.execPath, decodeScript, input] },
    shardexDe('shardex, all three tests', ['--workers', '2']),
    shardexDe('shardex --tests nb-glm', ['--workers', '2', '--tests', 'nb-glm']),
    shardexDe('shardex --tests wilcoxon', ['--workers', '2', '--tests', 'wilcoxon']),
    shardexDe('shardex --tests t-test', ['--workers', '2', '--tests', 't-test']),
    peer('illico-wilcoxon'),
    peer('crispyx-wilcoxon'),
  ],
};
