import type { PerturbationCounts, PerturbationResults, TestName, TestOverview } from '../../src/web/result-shapes.js';
import { element, section } from './element.js';
import { geneTable } from './gene-table.js';
import { formatCount } from './numbers.js';
import { pvalueHistogram, quantilePlot } from './plots/calibration.js';
import { meanDifference, volcano } from './plots/gene-scatter.js';
import { significantCounts } from './plots/significant-counts.js';
import type { ResultsSource } from './results-source.js';

export const TEST_TITLES: Readonly<Record<TestName, string>> = {
  'nb-glm': 'NB-GLM',
  wilcoxon: 'Wilcoxon',
  't-test': 't-test',
};

/** Names a list can hold before a search is the better way. */
const LISTED = 500;

/** A choice of test and perturbation, and everything there is to see of both. */
export class ResultsView {
  readonly root = element('div', { class: 'results' });
  private readonly screen = element('div', {}, element('p', { class: 'note' }, 'Reading the results…'));
  private readonly picker = element('div', { class: 'picker' });
  private readonly chosen = element('div', { 'aria-live': 'polite' });
  private test: TestName;
  private perturbation: string | null = null;

  constructor(private readonly source: ResultsSource) {
    const { tests } = source.overview;
    this.test = tests[0];
    const choices = tests.map((test) =>
      element(
        'label',
        {},
        element('input', {
          type: 'radio',
          name: 'test',
          value: test,
          checked: test === this.test,
          change: () => this.showTest(test),
        }),
        TEST_TITLES[test],
      ),
    );
    const legend = element('legend', {}, 'Test');
    this.root.append(
      element('fieldset', { class: 'tests' }, legend, ...choices),
      this.screen,
      this.picker,
      this.chosen,
    );
    this.showTest(this.test);
  }

  private showTest(test: TestName): void {
    this.test = test;
    for (const part of [this.screen, this.chosen]) part.setAttribute('aria-busy', 'true');
    this.run(this.source.test(test), (overview) => {
      if (overview.test !== this.test) return;
      this.screen.removeAttribute('aria-busy');
      this.screen.replaceChildren(screenSection(overview, this.source.overview.alpha));
      this.picker.replaceChildren(...this.pickerOf(overview));
      const { perturbations } = overview;
      const kept = perturbations.find(
        ({ perturbation }) => perturbation === this.perturbation && this.source.has(test, perturbation),
      );
      const first = kept ?? perturbations[0];
      if (first !== undefined) this.showPerturbation(first.perturbation, overview);
    });
  }

  private pickerOf({ perturbations, perturbationsLeftOut, ...overview }: TestOverview): HTMLElement[] {
    const available = perturbations.filter(({ perturbation }) => this.source.has(this.test, perturbation));
    const list = element('select', { id: 'perturbation', size: 8 });
    const fill = (query: string): void => {
      const matching = available.filter(({ perturbation }) => perturbation.toLowerCase().includes(query.toLowerCase()));
      list.replaceChildren(...matching.slice(0, LISTED).map(optionOf));
      if (this.perturbation !== null) list.value = this.perturbation;
      hint.textContent =
        matching.length > LISTED
          ? `the first ${LISTED} of ${formatCount(matching.length)}: search for others`
          : available.length < perturbations.length + perturbationsLeftOut
            ? `the ${available.length} with the most significant genes, of ${formatCount(perturbations.length + perturbationsLeftOut)}`
            : `${formatCount(matching.length)} perturbations`;
    };
    const search = element('input', {
      type: 'search',
      id: 'perturbation-search',
      placeholder: 'search',
      'aria-label': 'Search perturbations',
      input: () => fill(search.value.trim()),
    });
    const hint = element('p', { class: 'note' });
    list.addEventListener('change', () =>
      this.showPerturbation(list.value, { ...overview, perturbations, perturbationsLeftOut }),
    );
    fill('');
    return [element('label', { for: 'perturbation' }, 'Perturbation'), search, list, hint];
  }

  private showPerturbation(perturbation: string, overview: TestOverview): void {
    this.perturbation = perturbation;
    const list = this.picker.querySelector('select');
    if (list !== null) list.value = perturbation;
    this.chosen.setAttribute('aria-busy', 'true');
    this.run(this.source.perturbation(overview.test, perturbation), (results) => {
      if (results.test !== this.test || results.perturbation !== this.perturbation) return;
      this.chosen.removeAttribute('aria-busy');
      this.chosen.replaceChildren(this.perturbationSection(results, overview));
    });
  }

  private perturbationSection(results: PerturbationResults, overview: TestOverview): HTMLElement {
    const { test, perturbation, genes, calibration, testedGenes, genesLeftOut } = results;
    const { alpha } = this.source.overview;
    const counts = overview.perturbations.find((each) => each.perturbation === perturbation);
    const caption =
      genesLeftOut === 0
        ? `Genes under ${perturbation}, ${TEST_TITLES[test]}`
        : `${formatCount(genes.gene.length)} genes under ${perturbation}, ${TEST_TITLES[test]}: the strongest and a selection of the others (${formatCount(genesLeftOut)} are not here)`;
    return section(
      `${perturbation}, ${TEST_TITLES[test]}`,
      element('p', {}, sentenceOf(counts, testedGenes, alpha)),
      element(
        'div',
        { class: 'plots' },
        volcano(genes, testedGenes, alpha),
        meanDifference(genes, testedGenes, alpha),
        pvalueHistogram(calibration),
        quantilePlot(calibration),
      ),
      geneTable({
        genes,
        effect: overview.effect,
        caption,
        download: this.source.download(test, perturbation),
        fileName: `${perturbation}-${test}.csv`.replace(/[^\w.+-]+/g, '_'),
      }),
    );
  }

  /** Shows what failed where its result would have been. */
  private run<Value>(promise: Promise<Value>, show: (value: Value) => void): void {
    promise.then(show).catch((error: unknown) => {
      this.chosen.removeAttribute('aria-busy');
      const message = error instanceof Error ? error.message : String(error);
      this.chosen.replaceChildren(element('p', { class: 'failure', role: 'alert' }, message));
    });
  }
}

function optionOf({ perturbation, up, down }: PerturbationCounts): HTMLOptionElement {
  return element('option', { value: perturbation }, `${perturbation} (${formatCount(up + down)})`);
}

function sentenceOf(counts: PerturbationCounts | undefined, testedGenes: number, alpha: number): string {
  const tested = `${formatCount(testedGenes)} genes tested`;
  if (counts === undefined) return tested;
  const cells = counts.cells === null ? '' : `${formatCount(counts.cells)} cells, `;
  return `${cells}${tested}; at FDR ${alpha}: ${formatCount(counts.up)} up, ${formatCount(counts.down)} down`;
}

/** The whole screen under one test. */
function screenSection(overview: TestOverview, alpha: number): HTMLElement {
  const { test, perturbations, perturbationsLeftOut, significantGenes, calibration } = overview;
  const all = perturbations.length + perturbationsLeftOut;
  const sentence = `${formatCount(calibration.tested)} tests of ${formatCount(all)} perturbations; ${formatCount(significantGenes)} significant at FDR ${alpha} within their perturbation.`;
  return section(
    `All perturbations, ${TEST_TITLES[test]}`,
    element('p', {}, sentence),
    element(
      'div',
      { class: 'plots' },
      significantCounts(perturbations),
      element('div', { class: 'stack' }, pvalueHistogram(calibration), quantilePlot(calibration)),
    ),
    countsTable(perturbations, perturbationsLeftOut),
  );
}

function countsTable(perturbations: readonly PerturbationCounts[], leftOut: number): HTMLElement {
  const rows = perturbations.map(({ perturbation, cells, tested, up, down }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, perturbation),
      ...[cells, tested, up, down].map((count) => element('td', { class: 'number' }, formatCount(count))),
    ),
  );
  const titles = ['cells', 'genes tested', 'up', 'down'];
  const heading = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'perturbation'),
    ...titles.map((title) => element('th', { scope: 'col', class: 'number' }, title)),
  );
  const summary = `Counts of ${leftOut === 0 ? 'all' : `the first ${formatCount(rows.length)}`} perturbations`;
  const note = leftOut === 0 ? null : element('p', { class: 'note' }, `${formatCount(leftOut)} more are not listed.`);
  return element(
    'details',
    {},
    element('summary', {}, summary),
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': summary },
      element('table', {}, element('thead', {}, heading), element('tbody', {}, ...rows)),
    ),
    note,
  );
}
