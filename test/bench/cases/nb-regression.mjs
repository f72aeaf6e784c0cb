import { peer, shardexDe } from '../commands.mjs';

export default {
  description: 'The negative-binomial regression alone on a mid-sized screen.',
  input: { cells: 100_000, genes: 8000, perturbations: 400, seed: 1 },
  commands: [shardexDe('shardex --tests nb-glm', ['--tests', 'nb-glm']), peer('crispyx-nb-glm')],
};
