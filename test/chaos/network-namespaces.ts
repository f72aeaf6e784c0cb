import { execFileSync } from 'node:child_process';

/** Two hosts of one machine: namespaces that a pair of virtual cables joins. */
export interface TwoHosts {
  /** What starts a process on the first host, as `ip netns exec NAME`. */
  readonly first: readonly string[];
  readonly second: readonly string[];
  /** Address of the first host. */
  readonly address: string;
  /** From here on the second host hears nothing of the first; @returns how many packets were dropped so far */
  partition(): () => number;
  /** From here on the second host does not hear this share (percent) of what is sent to it. */
  lose(percent: number): () => number;
  heal(): void;
  remove(): void;
}

const NAME = `sx${process.pid}`;
const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no namespaces here; null when there can. */
export function reasonWithoutNamespaces(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  try {
    run('ip', 'netns', 'add', `${NAME}p`);
    try {
      run('ip', 'netns', 'exec', `${NAME}p`, 'nft', 'add', 'table', 'inet', 'probe');
    } finally {
      run('ip', 'netns', 'del', `${NAME}p`);
    }
    return null;
  } catch (error) {
    return `ip netns or nft does not work here: ${(error as Error).message.split('\n')[0]}`;
  }
}

export function makeTwoHosts(): TwoHosts {
  const [a, b] = [`${NAME}a`, `${NAME}b`];
  for (const name of [a, b]) run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', `${a}v`, 'netns', a, 'type', 'veth', 'peer', 'name', `${b}v`, 'netns', b);
  for (const [i, name] of [a, b].entries()) {
    run('ip', '-n', name, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', `${name}v`);
    run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    run('ip', '-n', name, 'link', 'set', `${name}v`, 'up');
  }
  const nft = (...rule: string[]): string => run('ip', 'netns', 'exec', b, 'nft', ...rule);
  nft('add', 'table', 'inet', 'faults');
  nft('add', 'chain', 'inet', 'faults', 'in', '{ type filter hook input priority 0; }');
  nft('add', 'chain', 'inet', 'faults', 'out', '{ type filter hook output priority 0; }');
  const drop = (...when: string[]): (() => number) => {
    for (const chain of ['in', 'out']) nft('add', 'rule', 'inet', 'faults', chain, ...when, 'counter', 'drop');
    return () =>
      [...nft('list', 'table', 'inet', 'faults').matchAll(/counter packets (\d+)/g)].reduce(
        (sum, [, packets]) => sum + Number(packets),
        0,
      );
  };
  return {
    first: ['ip', 'netns', 'exec', a],
    second: ['ip', 'netns', 'exec', b],
    address: '10.77.0.1',
    partition: () => drop(),
    lose: (percent) => drop('meta', 'l4proto', 'tcp', 'numgen', 'random', 'mod', '100', '<', `${percent}`),
    heal: () => void nft('flush', 'table', 'inet', 'faults'),
    remove: () => {
      for (const name of [a, b]) run('ip', 'netns', 'del', name);
    },
  };
}
