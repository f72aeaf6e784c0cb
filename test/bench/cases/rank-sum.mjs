import { peer, shardexDe } from '../commands.mjs';

export default {
  description: 'The Wilcoxon test alone on a mid-sized screen.',
  input: { cells: 100_000, genes: 8000, perturbations: 400, seed: 1 },
  commands: [
    shardexDe('shardex --tests wilcoxon', ['--tests', 'wilcoxon']),
    peer('illico-wilcoxon'),
    peer('crispyx-wilcoxon'),
    peer('scanpy-wilcoxon'),
  ],
};
