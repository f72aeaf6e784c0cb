import { peer, shardexDe } from '../commands.mjs';

export default {
  description: 'A screen of 200,000 cells and 2,000 perturbations on two workers.',
  input: { cells: 200_000, genes: 8000, perturbations: 2000, seed: 1 },
  commands: [
    shardexDe('shardex, all three tests', ['--workers', '2']),
    shardexDe('shardex --tests wilcoxon', ['--workers', '2', '--tests', 'wilcoxon']),
    // Minutes a run: once is enough to tell an order of magnitude.
    { ...peer('illico-wilcoxon'), once: true },
  ],
};
