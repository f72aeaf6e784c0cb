import { resultLayers, type ResultLayer } from '@shardex/shared/artifacts';
import { suggestName, TEST_NAMES, type TestName } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { FittedComparisons, type FittedPlace } from '../adapters/index.js';
import { csvText, csvValue, rowRuns, tidyName, tidyValue, type ResultRows } from '../cli/index.js';
import type { FittedParts } from '../domain/index.js';
import { assemblePerturbation, SHOWN_LAYERS } from './assemble-perturbation.js';
import type { PerturbationResults, RunOverview, TestOverview } from './result-shapes.js';
import { ScreenTally, TALLIED_LAYERS } from './tally-screen.js';

/** Perturbations whose counts the page gets. */
const LISTED_PERTURBATIONS = 20_000;
/** Lines of a table sent at a time: about 100 KiB of text. */
const LINES_PER_CHUNK = 1000;

/**
 * What a job that still runs has of its results: the perturbations whose comparison with the control is done. Their numbers
 * stay as they are; the adjustment over the whole screen and shrunken fold changes come with the end of the job.
 *
 * Each output is tallied once, however often one looks; of a perturbation its own rows are read. What is kept are names,
 * counts and places.
 */
export class ProvisionalResults {
  private readonly places = new Map<string, FittedPlace>();
  private readonly located = new Set<string>();
  private readonly tallies = new Map<TestName, { readonly tally: ScreenTally; readonly outputs: Set<string> }>();
  /** Looks take turns: two would tally the same output twice. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(private readonly fitted: FittedComparisons) {}

  static async open(parts: FittedParts): Promise<ProvisionalResults> {
    return new ProvisionalResults(await FittedComparisons.open(parts));
  }

  run(parts: FittedParts): Promise<RunOverview> {
    const { output, alpha, tests } = this.fitted.parameters;
    return this.inTurn(async () => {
      await this.locate(parts);
      const provisional = { perturbationsDone: this.places.size, perturbations: this.fitted.perturbations };
      const inOrder = TEST_NAMES.filter((test) => tests.includes(test));
      return { folder: output, alpha, run: null, tests: inOrder, provisional };
    });
  }

  /** @throws InvalidInputError when the job does not run this test */
  test(parts: FittedParts, test: TestName): Promise<TestOverview> {
    this.requireTest(test);
    return this.inTurn(async () => {
      const { tally, outputs } = this.tallyOf(test);
      const layers = this.layersOf(test, TALLIED_LAYERS);
      for (const output of parts.outputs.fit) {
        if (outputs.has(output)) continue;
        const places = await this.fitted.placesOf(output);
        // Whole outputs only: what is read of one that turns out to be gone is not counted.
        const runs = [];
        for (const [begin, end] of rowRuns(0, places.length, this.fitted.genes.length)) {
          const some = places.slice(begin, end);
          const names = some.map(([perturbation]) => perturbation);
          const cells = some.map(([, place]) => place.cells);
          runs.push({ names, cells, rows: await this.fitted.readRows(output, test, layers, begin, end) });
        }
        for (const { names, cells, rows } of runs) tally.add(names, cells, rows);
        outputs.add(output);
      }
      return tally.overview(LISTED_PERTURBATIONS);
    });
  }

  /** Every gene of a perturbation. @throws InvalidInputError when it is not done */
  async perturbation(parts: FittedParts, test: TestName, name: string): Promise<PerturbationResults> {
    const { output, row } = await this.placeOf(parts, test, name);
    const rows = await this.fitted.readRows(output, test, this.layersOf(test, SHOWN_LAYERS), row, row + 1);
    const ofControl = (column: 'control_mean' | 'pts_rest'): Float64Array | null => this.fitted.ofControl(test, column);
    return assemblePerturbation({ test, genes: this.fitted.genes, ofControl }, name, rows, null);
  }

  /** A perturbation's table under the columns it will have; those that come with the end of the job are empty. */
  async csv(parts: FittedParts, test: TestName, name: string): Promise<AsyncIterable<Uint8Array>> {
    const { output, row } = await this.placeOf(parts, test, name);
    const columns = resultLayers(test, this.fitted.parameters);
    const rows = await this.fitted.readRows(output, test, this.fitted.layersOf(test), row, row + 1);
    return tableOf(name, this.fitted.genes, columns, rows);
  }

  private layersOf(test: TestName, names: readonly string[]) {
    return this.fitted.layersOf(test).filter(({ name }) => names.includes(name));
  }

  private tallyOf(test: TestName) {
    const { genes, parameters } = this.fitted;
    const known = this.tallies.get(test) ?? {
      tally: new ScreenTally(test, genes.length, parameters.alpha),
      outputs: new Set<string>(),
    };
    this.tallies.set(test, known);
    return known;
  }

  private requireTest(test: TestName): void {
    const { tests } = this.fitted.parameters;
    if (!tests.includes(test))
      throw new InvalidInputError(`the job does not run ${test}`, { hint: `it runs ${tests.join(', ')}` });
  }

  private async placeOf(parts: FittedParts, test: TestName, name: string): Promise<FittedPlace> {
    this.requireTest(test);
    await this.inTurn(() => this.locate(parts));
    const place = this.places.get(name);
    if (place !== undefined) return place;
    const near = suggestName(name, [...this.places.keys()]);
    throw new InvalidInputError(`perturbation "${name}" is not done yet, or not in this job`, {
      hint: near === null ? 'wait for it' : `did you mean "${near}"?`,
    });
  }

  /** Notes where the perturbations of new outputs are. */
  private async locate(parts: FittedParts): Promise<void> {
    for (const output of parts.outputs.fit) {
      if (this.located.has(output)) continue;
      for (const [perturbation, place] of await this.fitted.placesOf(output)) this.places.set(perturbation, place);
      this.located.add(output);
    }
  }

  private inTurn<Value>(look: () => Promise<Value>): Promise<Value> {
    const value = this.turn.then(look);
    this.turn = value.catch(() => undefined);
    return value;
  }
}

async function* tableOf(
  perturbation: string,
  genes: readonly string[],
  columns: readonly ResultLayer[],
  rows: ResultRows,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let lines = [['perturbation', 'gene', ...columns.map(({ name }) => tidyName(name))].join(',')];
  for (const [at, gene] of genes.entries()) {
    const values = columns.map(({ name, dtype }) => {
      const value = rows.get(name)?.[at] ?? Number.NaN;
      return csvValue(Number.isNaN(value) ? value : tidyValue(name, value, dtype === 'f32'));
    });
    lines.push([csvText(perturbation), csvText(gene), ...values].join(','));
    if (lines.length < LINES_PER_CHUNK) continue;
    yield encoder.encode(`${lines.join('\n')}\n`);
    lines = [];
  }
  if (lines.length > 0) yield encoder.encode(`${lines.join('\n')}\n`);
}
