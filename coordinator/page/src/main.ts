import './styles.css';
import type { ReportData } from '../../src/web/result-shapes.js';
import { element } from './element.js';
import { LiveView } from './live-view.js';
import { reportSource } from './results-source.js';
import { ResultsView } from './results-view.js';
import { runSections } from './run-view.js';

/** The report when its data stand in the page. */
function showReport(root: HTMLElement, data: ReportData): void {
  root.append(
    element(
      'header',
      {},
      element('h1', {}, document.title),
      element('p', { class: 'note' }, `made by ${data.generator}`),
    ),
    ...runSections(data),
    new ResultsView(reportSource(data)).root,
  );
}

const root = document.getElementById('page');
const embedded = document.getElementById('report');
if (root !== null && embedded !== null) showReport(root, JSON.parse(embedded.textContent ?? '') as ReportData);
else root?.append(new LiveView().root);
