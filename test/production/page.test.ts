import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithPart } from '../support/required-part.js';
import { shardex, simulatedScreen } from '../support/shardex.js';
import { startProcessCluster, startWorker, type ProcessCluster } from './process-cluster.js';

/** A Chromium of the system: none is downloaded. */
const findChromium = (): string | null =>
  [process.env['SHARDEX_CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
    (path) => path !== '' && existsSync(path),
  ) ?? null;

/** A page, and what it asked for and complained of. */
interface WatchedPage {
  readonly page: Page;
  readonly requests: string[];
  readonly complaints: string[];
}

async function watchedPage(browser: Browser, options: Parameters<Browser['newPage']>[0] = {}): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const [requests, complaints] = [[] as string[], [] as string[]];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  return { page, requests, complaints };
}

const plot = (page: Page, title: string) => page.locator(`svg[role=img][aria-label="${title}"]`).last();

describeWithPart({
  part: 'browser',
  name: 'page and report in Chromium',
  probe: findChromium,
  reason: 'there is no /usr/bin/chromium; SHARDEX_CHROMIUM names one elsewhere',
  body: (executablePath) => {
    let folder: string;
    let input: string;
    let browser: Browser;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'shardex-page-'));
      input = await simulatedScreen(folder);
      browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    });
    afterAll(async () => {
      await browser?.close();
      await rm(folder, { recursive: true, force: true });
    });

    describe('the live page', () => {
      let cluster: ProcessCluster;
      beforeAll(async () => {
        cluster = await startProcessCluster(1);
      });
      afterAll(async () => cluster?.stop());

      it('shows a job from its start to its results, a perturbation, and its table as a file', async () => {
        const origin = `http://${cluster.metricsAddress}`;
        const { page, requests, complaints } = await watchedPage(browser, { acceptDownloads: true });
        await page.goto(origin);
        await page.getByText('No job yet').waitFor();
        await page.getByRole('region', { name: 'Workers' }).getByText('waits').waitFor();

        const output = join(folder, 'live');
        const running = shardex(['de', input, '--out', output, '--coordinator', cluster.address, '--quiet']);
        await page
          .getByRole('region', { name: 'Stages' })
          .getByRole('progressbar', { name: 'progress of scan' })
          .waitFor();
        expect((await running).exitCode).toBe(0);
        await page.getByRole('region', { name: 'Jobs' }).getByText('succeeded').waitFor();

        // By keyboard: to the list of perturbations, and down to the second.
        const picker = page.getByRole('listbox', { name: 'Perturbation', exact: true });
        await picker.waitFor();
        const second = (await picker.locator('option').nth(1).getAttribute('value')) ?? '';
        await picker.focus();
        await page.keyboard.press('ArrowDown');
        await page.getByRole('heading', { name: `${second}, NB-GLM` }).waitFor();
        for (const title of ['Volcano', 'MA', 'p-values', 'QQ']) await plot(page, title).waitFor();
        expect(await plot(page, 'Volcano').locator('circle').count()).toBeGreaterThan(250);

        const table = page.getByRole('region', { name: `Genes under ${second}` });
        await page.getByLabel('Search', { exact: true }).fill('GENE00012');
        await expect.poll(() => table.locator('tbody tr').count()).toBe(1);
        const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Download CSV').click()]);
        const csv = (await readFile(await download.path(), 'utf8')).trimEnd().split('\n');
        expect(csv[0]).toMatch(/^perturbation,gene,effect,/);
        expect(csv).toHaveLength(1 + 300);
        expect(csv.slice(1).every((line) => line.startsWith(`${second},`))).toBe(true);

        await page.getByRole('radio', { name: 'Wilcoxon' }).check();
        await page.getByRole('heading', { name: `${second}, Wilcoxon` }).waitFor();
        expect(requests.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
        expect(complaints).toEqual([]);
        await page.close();
      });

      it('tells the story of a job that failed, and that there is no such job', async () => {
        const { page } = await watchedPage(browser);
        await page.goto(`http://${cluster.metricsAddress}/#none`);
        await page.getByRole('status').getByText('there is no job none').waitFor();

        // Its file is there when the job is planned and gone when a worker comes for it.
        const copy = join(folder, 'copy.h5ad');
        await copyFile(input, copy);
        const lonely = await startProcessCluster(0);
        try {
          await page.goto(`http://${lonely.metricsAddress}`);
          await page.getByText('No worker is connected').waitFor();
          const running = shardex(['de', copy, '--out', join(folder, 'failed'), '--coordinator', lonely.address]);
          await page.getByRole('region', { name: 'Stages' }).getByText('scan').waitFor();
          await rm(copy);
          const worker = await startWorker(lonely.address);
          try {
            expect((await running).exitCode).not.toBe(0);
            const failure = page.getByRole('alert');
            await failure.getByText('stage scan failed').waitFor();
            expect(await failure.locator('pre').textContent()).toMatch(/attempt 1 at .*: failed: /);
            await page.getByRole('region', { name: 'Events' }).last().getByText('task-failed').waitFor();
          } finally {
            await worker.stop();
          }
        } finally {
          await lonely.stop();
        }
        await page.close();
      });
    });

    describe('a report', () => {
      let file: string;
      beforeAll(async () => {
        const output = join(folder, 'results');
        expect((await shardex(['de', input, '--out', output, '--workers', '1', '--quiet'])).exitCode).toBe(0);
        file = join(folder, 'report.html');
        const outcome = await shardex(['report', output, '--out', file, '--perturbations', '3']);
        expect([outcome.exitCode, outcome.stdout]).toEqual([0, `${file}\n`]);
      });

      it('is one file of bounded size that asks for nothing else', async () => {
        expect((await stat(file)).size).toBeLessThan(2_000_000);
        const { page, requests, complaints } = await watchedPage(browser);
        await page.goto(pathToFileURL(file).href);
        await plot(page, 'Volcano').waitFor();
        expect(requests).toEqual([pathToFileURL(file).href]);
        expect(complaints).toEqual([]);
        await page.close();
      });

      it('holds provenance, quality control, counts, calibration and plots of as many perturbations as asked for', async () => {
        const { page } = await watchedPage(browser);
        await page.goto(pathToFileURL(file).href);
        for (const name of ['Provenance', 'Quality control', 'Run', 'All perturbations, NB-GLM'])
          await page.getByRole('region', { name, exact: true }).waitFor();
        const run = JSON.parse(readFileSync(join(folder, 'results', 'run.json'), 'utf8')) as {
          readonly input: { readonly content_hash: string };
        };
        await page.getByText(run.input.content_hash).waitFor();
        expect(await page.getByRole('listbox', { name: 'Perturbation', exact: true }).locator('option').count()).toBe(
          3,
        );
        await page.getByText('the 3 with the most significant genes, of 12').waitFor();
        for (const title of ['Significant genes', 'Volcano', 'MA', 'p-values', 'QQ']) await plot(page, title).waitFor();
        await page.close();
      });

      it.each([
        ['light', 1280, 'rgb(255, 255, 255)'],
        ['dark', 1280, 'rgb(22, 25, 29)'],
        ['light', 390, 'rgb(255, 255, 255)'],
        ['dark', 390, 'rgb(22, 25, 29)'],
      ] as const)('fits a %s screen of %i pixels', async (colorScheme, width, background) => {
        const { page } = await watchedPage(browser, { colorScheme, viewport: { width, height: 800 } });
        await page.goto(pathToFileURL(file).href);
        await plot(page, 'Volcano').waitFor();
        // As text: the program that checks these tests knows no browser.
        const seen = (code: string): Promise<unknown> => page.evaluate(code);
        expect(await seen('getComputedStyle(document.body).backgroundColor')).toBe(background);
        expect(await seen('document.documentElement.scrollWidth')).toBe(width);
        const screenshots = process.env['SHARDEX_SCREENSHOTS'];
        if (screenshots !== undefined)
          await page.screenshot({ path: join(screenshots, `report-${colorScheme}-${width}.png`), fullPage: true });
        await page.close();
      });
    });
  },
});
