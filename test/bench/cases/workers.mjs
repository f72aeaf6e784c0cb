import { shardexDe } from '../commands.mjs';

export default {
  description: 'The same job with one, two and three workers.',
  input: { cells: 50_000, genes: 8000, perturbations: 200, seed: 1 },
  commands: [1, 2, 3].map((workers) => shardexDe(`shardex --workers ${workers}`, ['--workers', String(workers)])),
};
