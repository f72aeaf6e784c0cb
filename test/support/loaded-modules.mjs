// Loaded by a process of ours (--import) and by its threads: writes the names of the OpenTelemetry packages that are imported
// to the file SHARDEX_TEST_LOADED.
import { register } from 'node:module';

const hooks = `
import { appendFileSync } from 'node:fs';
export async function resolve(specifier, context, next) {
  if (specifier.startsWith('@opentelemetry/')) appendFileSync(process.env.SHARDEX_TEST_LOADED, specifier + '\\n');
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
