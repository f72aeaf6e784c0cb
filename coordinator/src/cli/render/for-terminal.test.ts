import { expect, it } from 'vitest';
import { forTerminal } from './for-terminal.js';

it.each([
  ['KO1\tβ-catenin 🧬\r\n', 'KO1\tβ-catenin 🧬\r\n'],
  ['\r\u001b[2K\u001b[1mbold\u001b[22m', '\r\u001b[2K\u001b[1mbold\u001b[22m'],
  ['\u001b]52;c;ZWNobw==\u0007', '\\x1b]52;c;ZWNobw==\\x07'],
  ['\u001b[2J\u001b[6n\u009b6n', '\\x1b[2J\\x1b[6n\\x9b6n'],
  ['a\u0000\u0008\u007f', 'a\\x00\\x08\\x7f'],
])('shows %j as %j', (text, shown) => {
  expect(forTerminal(text)).toBe(shown);
});
