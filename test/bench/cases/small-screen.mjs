import { peer, shardexDe } from '../commands.mjs';

export default {
  description: 'All three tests of a screen that fits on a laptop, against the peers that do one of them.',
  input: { cells: 20_000, genes: 4000, perturbations: 50, seed: 1 },
  commands: [
    shardexDe('shardex, all three tests', []),
    { ...peer('crispyx-nb-glm'), once: true },
    peer('crispyx-wilcoxon'),
    peer('crispyx-t-test'),
    peer('scanpy-wilcoxon'),
    peer('scanpy-t-test'),
    peer('illico-wilcoxon'),
  ],
};
