import type { RunOverview, RunRecord } from '../../src/web/result-shapes.js';
import { element, facts, section } from './element.js';
import { formatBytes, formatCount, formatDuration, formatNumber } from './numbers.js';

type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };
type Group = Readonly<Record<string, Value>>;

const group = (record: RunRecord, name: string): Group => {
  const value = record[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Group) : {};
};

const list = <Item = Group>(record: RunRecord, name: string): readonly Item[] => {
  const value = record[name];
  return Array.isArray(value) ? (value as readonly Item[]) : [];
};

const text = (value: Value | undefined): string => {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return Number.isInteger(value) ? formatCount(value) : formatNumber(value);
  if (Array.isArray(value)) return value.map((one: Value) => text(one)).join(', ');
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([name, one]) => `${name} ${text(one)}`)
      .join(', ');
  return String(value);
};

const count = (value: Value | undefined): number => (typeof value === 'number' ? value : 0);

/** Where the results come from and how the run went: what `run.json` says. */
export function runSections({ folder, run }: RunOverview): HTMLElement[] {
  if (run === null) {
    return [section('Run', element('p', {}, `${folder} has no run.json: nothing is known of the run.`))];
  }
  return [provenance(folder, run), qualityControl(run), performance(run)];
}

function provenance(folder: string, run: RunRecord): HTMLElement {
  const [input, design, method] = [group(run, 'input'), group(run, 'design'), group(run, 'method')];
  const parameters = Object.entries(group(run, 'parameters')).map(([name, parameter]) => {
    const { value = null, source = '' } = parameter as { readonly value?: Value; readonly source?: string };
    return { name, value: text(value) || (value === null ? 'none' : '–'), isDefault: source === 'default' };
  });
  const rows = [...parameters]
    .sort((left, right) => Number(left.isDefault) - Number(right.isDefault))
    .map(({ name, value, isDefault }) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, name),
        element('td', { class: 'wrap' }, value),
        element('td', {}, isDefault ? 'default' : 'given or detected'),
      ),
    );
  return section(
    'Provenance',
    facts([
      ['Input', text(input['path'])],
      ['Content', text(input['content_hash'])],
      ['Matrix', `${text(input['cells'])} cells × ${text(input['genes'])} genes, ${text(input['nonzeros'])} nonzeros`],
      ['Scale', text(input['scale'])],
      ['Perturbations', `${text(design['perturbations'])}, column ${text(design['perturbation_column'])}`],
      ['Control', `${text(design['control_label'])}, ${text(design['control_cells'])} cells`],
      ['Results', folder],
      ['Program', `shardex ${text(run['shardex'] as Value)}`],
      ['Submitted', text(run['submitted'] as Value)],
      ['Dispersion trend', text(method['dispersion_trend'])],
      ['Fits that did not converge', text(method['fits_not_converged'])],
      ['Error bound of the measures', text(method['measure_error_bound'])],
    ]),
    element(
      'details',
      {},
      element('summary', {}, `All ${parameters.length} parameters`),
      table(['parameter', 'value', 'source'], rows, 'Parameters'),
    ),
  );
}

function qualityControl(run: RunRecord): HTMLElement {
  const quality = group(run, 'quality_control');
  const statuses = Object.entries(group(run, 'genes_by_status'));
  const names = [...new Set(statuses.flatMap(([, counts]) => Object.keys(counts as Group)))];
  const rows = names.map((name) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      ...statuses.map(([, counts]) => element('td', { class: 'number' }, formatCount(count((counts as Group)[name])))),
    ),
  );
  const warnings = list<string>(run, 'warnings').map((warning) => element('li', {}, warning));
  const dropped = quality['perturbations_dropped'];
  return section(
    'Quality control',
    facts([
      ['Cells kept', text(quality['kept_cells'])],
      ['Without label or not selected', text(quality['cells_without_label_or_not_selected'])],
      ['Without counts', text(quality['cells_without_counts'])],
      ['With few genes', text(quality['cells_with_few_genes'])],
      ['Perturbations dropped', text(dropped) || '0'],
      ['Genes dropped', text(quality['genes_dropped']) || '0'],
    ]),
    rows.length === 0
      ? null
      : table(['what became of a (perturbation, gene)', ...statuses.map(([test]) => test)], rows, 'Statuses'),
    ...(warnings.length === 0 ? [] : [element('h3', {}, 'Notes and warnings'), element('ul', {}, ...warnings)]),
  );
}

function performance(run: RunRecord): HTMLElement {
  const stages = list(run, 'stages').map((stage) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, text(stage['name'])),
      element('td', {}, text(stage['runs_on'])),
      ...[
        formatDuration(count(stage['seconds'])),
        text(stage['tasks']),
        text(stage['retries']),
        formatBytes(count(stage['bytes_read'])),
        formatBytes(count(stage['bytes_written'])),
      ].map((value) => element('td', { class: 'number' }, value)),
    ),
  );
  const workers = list(run, 'workers').map((worker) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, text(worker['id'])),
      element('td', {}, text(worker['host'])),
      ...[text(worker['tasks']), text(worker['failures']), formatBytes(count(worker['peak_memory_bytes']))].map(
        (value) => element('td', { class: 'number' }, value),
      ),
    ),
  );
  return section(
    'Run',
    table(['stage', 'runs on', 'time', 'tasks', 'retries', 'read', 'written'], stages, 'Stages', 2),
    element(
      'details',
      {},
      element('summary', {}, workers.length === 1 ? '1 worker' : `${workers.length} workers`),
      table(['worker', 'host', 'tasks', 'failures', 'peak memory'], workers, 'Workers', 2),
    ),
  );
}

/** @param words - columns before those of numbers; the rest of the headings stand right */
export function table(
  titles: readonly string[],
  rows: readonly HTMLElement[],
  label: string,
  words = titles.length,
): HTMLElement {
  const headings = titles.map((title, at) => element('th', { scope: 'col', class: at < words ? '' : 'number' }, title));
  return element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    element('table', {}, element('thead', {}, element('tr', {}, ...headings)), element('tbody', {}, ...rows)),
  );
}
