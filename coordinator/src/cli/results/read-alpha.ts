import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { openStore } from '@shardex/shared/storage';

/** The significance level the run was asked for, from its `run.json`; the default where that cannot be read. */
export async function readAlpha(folder: string): Promise<number> {
  try {
    const text = new TextDecoder().decode(await openStore(folder).readAll('run.json'));
    const record = JSON.parse(text) as {
      readonly parameters?: { readonly alpha?: { readonly value?: unknown } };
    };
    const alpha = record.parameters?.alpha?.value;
    return typeof alpha === 'number' ? alpha : DEFAULT_DE_PARAMETERS.alpha;
  } catch {
    // Results that were copied without their record are still results.
    return DEFAULT_DE_PARAMETERS.alpha;
  }
}
