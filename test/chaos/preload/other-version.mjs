// Loaded by a worker (--import): its package says that it is version 9.9.9.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const read = fs.readFileSync;
fs.readFileSync = (path, ...rest) => {
  const content = read(path, ...rest);
  return String(path).endsWith('/worker/package.json')
    ? JSON.stringify({ ...JSON.parse(content), version: '9.9.9' })
    : content;
};
syncBuiltinESMExports();
