import { shardexDe } from '../commands.mjs';

export default {
  description: 'The same job with one, two and four workers.',
  input: { cells: 100_000, genes: 8000, perturbations: 400, seed: 1 },
  commands: [1, 2, 4].map((workers) => shardexDe(`shardex --workers ${workers}`, ['--workers', String(workers)])),
};
