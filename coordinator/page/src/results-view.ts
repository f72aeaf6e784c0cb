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
  private readonly note = element('p', { class: 'provisional', role: 'status', hidden: true });
  private readonly screen = element('div', {}, element('p', { class: 'note' }, 'Reading the results…'));
  private readonly list = element('select', { id: 'perturbation', size: 8, change: () => this.pick(this.list.value) });
  private readonly search = element('input', {
    type: 'search',
    id: 'perturbation-search',
    placeholder: 'search',
    'aria-label': 'Search perturbations',
    input: () => this.fillList(),
  });
  private readonly hint = element('p', { class: 'note' });
  private readonly picker = element(
    'div',
    { class: 'picker', hidden: true },
    element('label', { for: 'perturbation' }, 'Perturbation'),
    this.search,
    this.list,
    this.hint,
  );
  private readonly chosen = element('div', { 'aria-live': 'polite' });
  private test: TestName;
  private overview: TestOverview | null = null;
  private perturbation: string | null = null;
  /** Test and perturbation whose plots are on the page. */
  private drawn = '';

  constructor(private source: ResultsSource) {
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
      this.note,
      element('fieldset', { class: 'tests' }, legend, ...choices),
      this.screen,
      this.picker,
      this.chosen,
    );
    this.showProvisional();
    this.showTest(this.test);
  }

  /**
   * Goes on with what there is now of the same results. The choice, what was searched for and the perturbation that is
   * drawn stay: its numbers do not change any more.
   */
  update(source: ResultsSource): void {
    this.source = source;
    this.showProvisional();
    this.readTest(this.test);
  }

  private showProvisional(): void {
    const { provisional } = this.source.overview;
    this.note.hidden = provisional === null;
    if (provisional === null) return;
    const { perturbationsDone, perturbations } = provisional;
    const how = perturbationsDone < perturbations ? 'with the last perturbation' : 'when the results are written';
    const text = `Provisional: ${formatCount(perturbationsDone)} of ${formatCount(perturbations)} perturbations are done; the adjustment over the whole screen comes ${how}.`;
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  private showTest(test: TestName): void {
    this.test = test;
    for (const part of [this.screen, this.chosen]) part.setAttribute('aria-busy', 'true');
    this.readTest(test);
  }

  private readTest(test: TestName): void {
    this.run(this.source.test(test), (overview) => {
      if (overview.test !== this.test) return;
      this.overview = overview;
      this.showScreen(overview);
      this.picker.hidden = false;
      this.fillList();
      const { perturbations } = overview;
      const kept = perturbations.find(
        ({ perturbation }) => perturbation === this.perturbation && this.source.has(test, perturbation),
      );
      const first = kept ?? perturbations[0];
      if (first !== undefined) this.pick(first.perturbation);
    });
  }

  /** Made anew, but for what the reader had opened. */
  private showScreen(overview: TestOverview): void {
    const isOpen = this.screen.querySelector('details')?.open === true;
    const hasFocus = this.screen.contains(document.activeElement);
    const { alpha, provisional } = this.source.overview;
    this.screen.removeAttribute('aria-busy');
    this.screen.replaceChildren(screenSection(overview, alpha, provisional !== null));
    const details = this.screen.querySelector('details');
    if (details !== null) details.open = isOpen;
    if (hasFocus) details?.querySelector('summary')?.focus();
  }

  private fillList(): void {
    if (this.overview === null) return;
    const { perturbations, perturbationsLeftOut } = this.overview;
    const query = this.search.value.trim().toLowerCase();
    const available = perturbations.filter(({ perturbation }) => this.source.has(this.test, perturbation));
    const matching = available.filter(({ perturbation }) => perturbation.toLowerCase().includes(query));
    const { scrollTop } = this.list;
    this.list.replaceChildren(...matching.slice(0, LISTED).map(optionOf));
    if (this.perturbation !== null) this.list.value = this.perturbation;
    this.list.scrollTop = scrollTop;
    const all = perturbations.length + perturbationsLeftOut;
    this.hint.textContent =
      matching.length > LISTED
        ? `the first ${LISTED} of ${formatCount(matching.length)}: search for others`
        : available.length < all
          ? `the ${available.length} with the most significant genes, of ${formatCount(all)}`
          : `${formatCount(matching.length)} perturbations`;
  }

  private pick(perturbation: string): void {
    const { overview } = this;
    if (overview === null) return;
    this.perturbation = perturbation;
    this.list.value = perturbation;
    const wanted = `${overview.test}\n${perturbation}`;
    if (wanted === this.drawn) {
      this.chosen.removeAttribute('aria-busy');
      return;
    }
    this.chosen.setAttribute('aria-busy', 'true');
    this.run(this.source.perturbation(overview.test, perturbation), (results) => {
      if (results.test !== this.test || results.perturbation !== this.perturbation) return;
      this.drawn = wanted;
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
      for (const part of [this.screen, this.chosen]) part.removeAttribute('aria-busy');
      this.drawn = '';
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
function screenSection(overview: TestOverview, alpha: number, isProvisional: boolean): HTMLElement {
  const { test, perturbations, perturbationsLeftOut, significantGenes, calibration } = overview;
  const all = perturbations.length + perturbationsLeftOut;
  const sentence = `${formatCount(calibration.tested)} tests of ${formatCount(all)} perturbations; ${formatCount(significantGenes)} significant at FDR ${alpha} within their perturbation.`;
  return section(
    `${isProvisional ? 'Perturbations so far' : 'All perturbations'}, ${TEST_TITLES[test]}`,
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
  const summary = `Counts of ${leftOut === 0 ? 'each perturbation' : `the first ${formatCount(rows.length)} perturbations`}`;
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
