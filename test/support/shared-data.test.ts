import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeWithPeers, describeWithShared, sharedData } from './shared-data.js';
import { runPeerScript } from './peers.js';

it('gives null for a file that the folder of real data does not hold', () => {
  expect(sharedData('data/no-such-file')).toBeNull();
});

describeWithShared('with the folder of real data', (path) => {
  it('finds a file by its relative path', () => {
    expect(existsSync(path('data/README.md'))).toBe(true);
    expect(sharedData('data/README.md')).toBe(path('data/README.md'));
  });
});

describeWithPeers('with the peers', (python) => {
  it('hands over what a script prints', async () => {
    const script = 'import json, sys; print(json.dumps({"arguments": sys.argv[1:]}))';
    expect(await runPeerScript(python, script, ['a', 'b'])).toEqual({ arguments: ['a', 'b'] });
  });
});
