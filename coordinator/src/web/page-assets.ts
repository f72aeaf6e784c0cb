import { readFile } from 'node:fs/promises';
import { InvariantBrokenError } from '@shardex/shared/errors';

/** Script and styles of page and report: one bundle, made by `npm run build`. */
export interface PageAssets {
  readonly script: string;
  readonly styles: string;
}

const BUNDLE = new URL('../page/', import.meta.url);

/** @throws InvariantBrokenError when the build left the bundle out */
export async function readPageAssets(): Promise<PageAssets> {
  try {
    const [script, styles] = await Promise.all(
      ['page.js', 'page.css'].map((name) => readFile(new URL(name, BUNDLE), 'utf8')),
    );
    return { script, styles };
  } catch (error) {
    throw new InvariantBrokenError('this installation of shardex has no page: run "npm run build"', { cause: error });
  }
}

const NO_SCRIPT = '<noscript>This page draws its plots with JavaScript, which is switched off.</noscript>';

const document = (title: string, head: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeText(title)}</title>
${head}
</head>
<body>
${NO_SCRIPT}
${body}
</body>
</html>
`;

/** The page that a coordinator serves; its script and styles stand beside it. */
export const livePage = (): string =>
  document(
    'shardex',
    '<link rel="stylesheet" href="page.css">\n<script type="module" src="page.js"></script>',
    '<main id="page"></main>',
  );

/** What a page may load: only itself. Plots carry a style element of their own. */
export const LIVE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const REPORT_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** A page that holds all it needs: styles, script and data, which cannot end the element they stand in. */
export function selfContainedPage(title: string, assets: PageAssets, data: unknown): string {
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  const head = [
    `<meta http-equiv="Content-Security-Policy" content="${REPORT_POLICY}">`,
    `<style>${assets.styles}</style>`,
  ].join('\n');
  const body = [
    '<main id="page"></main>',
    `<script type="application/json" id="report">${json}</script>`,
    `<script type="module">${assets.script.replaceAll('</script', '<\\/script')}</script>`,
  ].join('\n');
  return document(title, head, body);
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
