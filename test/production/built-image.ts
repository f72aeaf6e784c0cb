import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { havePrograms, runProgram, type ProgramOutcome } from './programs.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The images that deploy/Containerfile begins with. */
export interface BaseImages {
  readonly debian: string;
  readonly node: string;
}

/** Stand-ins where there is no registry; null where `SHARDEX_TEST_BASE_IMAGES` names none that podman has. */
export function baseImages(): BaseImages | null {
  const [debian, node] = (process.env['SHARDEX_TEST_BASE_IMAGES'] ?? '').split(',');
  if (!debian || !node) return null;
  return havePrograms(['podman', 'image', 'exists', debian], ['podman', 'image', 'exists', node])
    ? { debian, node }
    : null;
}

export const podman = (...args: string[]): Promise<ProgramOutcome> => runProgram('podman', args);

/** Builds deploy/Containerfile from this checkout. @throws with what podman said */
export async function buildImage(tag: string, { debian, node }: BaseImages): Promise<void> {
  const bases = ['--build-arg', `BUILD_IMAGE=${node}`, '--build-arg', `RUNTIME_IMAGE=${debian}`];
  // The host's network reaches the registries; health checks are a field of Docker's format; stages leave nothing behind.
  const way = ['--isolation', 'chroot', '--network', 'host', '--format', 'docker', '--layers=false'];
  const from = ['--file', join(ROOT, 'deploy', 'Containerfile'), '--tag', tag, ROOT];
  const { exitCode, stdout, stderr } = await podman('build', ...way, ...bases, ...from);
  if (exitCode !== 0) throw new Error(`podman build: ${stdout}${stderr}`);
}
