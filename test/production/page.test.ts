import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithPart } from '../support/required-part.js';
import { shardex, simulatedScreen } from '../support/shardex.js';
import { startHeldWorker, startProcessCluster, startWorker, type ProcessCluster } from './process-cluster.js';

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

/** Pictures of the whole page in both schemes and two widths, for a person to look at, where SHARDEX_SCREENSHOTS names a folder. */
async function takePictures(page: Page, name: string): Promise<void> {
  const screenshots = process.env['SHARDEX_SCREENSHOTS'];
  if (screenshots === undefined) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      const path = join(screenshots, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
    }
  }
}

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

      it('shows the perturbations that are done while the others wait, and the final results by itself', async () => {
        // One worker, tasks of one comparison, which its 300 genes alone fill, and all that wait from the fifth perturbation on.
        const held = await startProcessCluster(0, ['--task-nonzeros', '15000']);
        const release = join(folder, 'release');
        const worker = await startHeldWorker(held.address, 5, release);
        const origin = `http://${held.metricsAddress}`;
        const { page, requests, complaints } = await watchedPage(browser, { acceptDownloads: true });
        const ask = async (path: string): Promise<Record<string, unknown>> =>
          (await fetch(`${origin}/api/${path}`)).json() as Promise<Record<string, unknown>>;
        try {
          await page.goto(origin);
          const output = join(folder, 'while');
          const running = shardex(['de', input, '--out', output, '--coordinator', held.address, '--quiet']);
          await page.getByText(/Provisional: \d+ of 12 perturbations are done/).waitFor();
          await page.getByRole('region', { name: 'Perturbations so far, NB-GLM' }).waitFor();

          // What is shown last is everything that was done before the wait.
          const picker = page.getByRole('listbox', { name: 'Perturbation', exact: true });
          await expect.poll(() => picker.locator('option').count()).toBe(4);
          await picker.focus();
          await page.keyboard.press('End');
          const name = (await picker.inputValue()) ?? '';
          await page.getByRole('heading', { name: `${name}, NB-GLM` }).waitFor();
          for (const title of ['Volcano', 'MA', 'p-values', 'QQ']) await plot(page, title).waitFor();
          const table = page.getByRole('region', { name: `Genes under ${name}` });
          await page.getByLabel('Search', { exact: true }).fill('GENE00012');
          await expect.poll(() => table.locator('tbody tr').count()).toBe(1);
          const download = async (): Promise<{ readonly name: string; readonly lines: readonly string[] }> => {
            const [file] = await Promise.all([page.waitForEvent('download'), page.getByText('Download CSV').click()]);
            const lines = (await readFile(await file.path(), 'utf8')).trimEnd().split('\n');
            return { name: file.suggestedFilename(), lines };
          };
          const before = await download();
          expect(before.name).toBe(`${name}-nb-glm-provisional.csv`);
          await takePictures(page, 'while');

          const jobs = (await ask('state'))['jobs'] as readonly { readonly jobId: string; readonly state: string }[];
          expect(jobs.map(({ state }) => state)).toEqual(['running']);
          const path = `jobs/${jobs[0].jobId}/results`;
          const answers = async (): Promise<unknown[]> =>
            Promise.all(['nb-glm', 'wilcoxon', 't-test'].map((test) => ask(`${path}/${test}?perturbation=${name}`)));
          expect(await ask(path)).toMatchObject({ provisional: { perturbationsDone: 4, perturbations: 12 } });
          const provisional = await answers();
          expect((await ask(`${path}/nb-glm?perturbation=nobody`))['message']).toContain('is not done yet');

          await writeFile(release, '');
          expect((await running).exitCode).toBe(0);
          await page.getByRole('region', { name: 'All perturbations, NB-GLM' }).waitFor();
          await page.getByText('Provisional:').waitFor({ state: 'hidden' });
          await expect.poll(() => picker.locator('option').count()).toBe(12);
          await page.getByRole('region', { name: 'Provenance', exact: true }).waitFor();
          // What was chosen and searched for is still there, and the numbers are the same.
          expect(await picker.inputValue()).toBe(name);
          expect(await table.locator('tbody tr').count()).toBe(1);
          expect(await answers()).toEqual(provisional);
          const after = await download();
          expect(after.name).toBe(`${name}-nb-glm.csv`);
          const global = after.lines[0].split(',').indexOf('pvalue_adj_global');
          const without = (line: string): string[] => line.split(',').filter((_, at) => at !== global);
          expect(before.lines.map(without)).toEqual(after.lines.map(without));
          expect(before.lines.slice(1).every((line) => line.split(',')[global] === '')).toBe(true);
          expect(after.lines.slice(1).some((line) => line.split(',')[global] !== '')).toBe(true);
          await takePictures(page, 'after');
          expect(requests.filter((url) => !url.startsWith(`${origin}/`))).toEqual([]);
          expect(complaints).toEqual([]);
        } finally {
          await worker.stop();
          await held.stop();
        }
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
