import { peer, shardexDe } from '../commands.mjs';

export default {
  description: "The NB-GLM of a screen of 50,000 cells against crispyx's, which needs ten minutes and up to 24 GB.",
  input: { cells: 50_000, genes: 8000, perturbations: 200, seed: 1 },
  commands: [
    shardexDe('shardex --tests nb-glm', ['--workers', '2', '--tests', 'nb-glm']),
    { ...peer('crispyx-nb-glm'), once: true },
  ],
};
