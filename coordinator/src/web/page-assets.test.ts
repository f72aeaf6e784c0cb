import { expect, it } from 'vitest';
import { selfContainedPage } from './page-assets.js';

it('a name from a file cannot end the element its data stand in', () => {
  const hostile = '</script><script>alert(1)</script><!--';
  const page = selfContainedPage(hostile, { script: 'const a = "</script>";', styles: 'p {}' }, { name: hostile });
  const scripts = [...page.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
  expect(scripts).toHaveLength(2);
  expect(JSON.parse(scripts[0] ?? '')).toEqual({ name: hostile });
  expect(page).toContain('<title>&lt;/script>');
  expect(page).not.toContain('alert(1)</script>');
});
