// Bundles what tsc built, libraries included, into a few files: Node spends half a second of processor time on finding,
// reading and compiling some hundred small modules, and a job on one machine starts three processes and four threads.
//
//   node coordinator/bundle/build.mjs        after tsc -b
//
// The bundle lies in coordinator/dist/bundle; the launcher takes it unless tsc has built something since.
import { rmSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('../..', import.meta.url));
const output = resolve(root, 'coordinator/dist/bundle');

/** What the launcher imports, and whatever is started or imported by the place of its file. */
const ENTRIES = {
  main: 'coordinator/dist/main.js',
  'reduction-thread': 'coordinator/dist/adapters/planner/reduction-thread.js',
  'simulate-thread': 'coordinator/dist/cli/simulate-thread.js',
  worker: 'worker/dist/main.js',
  'compute-thread': 'worker/dist/pool/compute-thread.js',
  tasks: 'worker/dist/tasks/index.js',
  'metadata-thread': 'shared/dist/h5ad/metadata-thread.js',
  'blocking-source-thread': 'shared/dist/storage/blocking-source-thread.js',
};

/**
 * Loaded only where they are needed, and each a file or two already; the loader of .proto files is for those who ask what
 * services there are. (prom-client loads all of OpenTelemetry's API, which is many files, so that belongs into the bundle.)
 */
const EXTERNAL = [
  /^h5wasm/,
  /^@aws-sdk\//,
  /^@opentelemetry\/(?!api$)/,
  /^@grpc\/proto-loader$/,
  /^hyparquet-writer/,
  /^yaml$/,
];

const entryOf = new Map(Object.entries(ENTRIES).map(([name, path]) => [resolve(root, path), `./${name}.js`]));
const fromOutput = (path) => JSON.stringify(relative(output, path));

/** Modules find files by their own place, which is the bundle's once they are in it: their first places are written in. */
const keepPlaces = {
  name: 'keep-places',
  transform(code, id) {
    const folder = dirname(id);
    return code
      .replace(/new URL\('(\.[^']*)', import\.meta\.url\)/g, (_, path) => {
        const target = resolve(folder, path);
        const place = entryOf.get(target) ?? relative(output, target);
        return `bundledUrl(${JSON.stringify(path.endsWith('/') ? `${place}/` : place)})`;
      })
      .replaceAll('import.meta.url', `bundledUrl(${fromOutput(id)}).href`)
      .replace(/\b__dirname\b/g, `bundledPath(${fromOutput(folder)})`)
      .replace(/\b__filename\b/g, `bundledPath(${fromOutput(id)})`);
  },
};

/** All files of the bundle lie in one folder. */
const PRELUDE = `import { fileURLToPath as bundledToPath } from 'node:url';
const bundledUrl = (path) => new URL(path, import.meta.url);
const bundledPath = (path) => bundledToPath(bundledUrl(path));`;

rmSync(output, { recursive: true, force: true });
const bundle = await rolldown({
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, path]) => [name, resolve(root, path)])),
  platform: 'node',
  external: EXTERNAL,
  plugins: [keepPlaces],
});
// Three processes and their threads read all of it: without comments and spaces that takes a third less. Names stay.
const minify = { compress: false, mangle: false, codegen: { removeWhitespace: true } };
await bundle.write({ dir: output, format: 'esm', banner: PRELUDE, minify });
await bundle.close();
