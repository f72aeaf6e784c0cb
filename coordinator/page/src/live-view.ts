import type { LiveJobDetails, LiveState } from '../../src/web/live-shapes.js';
import { element, section } from './element.js';
import {
  eventsPanel,
  failurePanel,
  hasEnded,
  jobFacts,
  jobsPanel,
  stagesPanel,
  throughputPanel,
  workersPanel,
  type EventsData,
  type FailureData,
  type JobsData,
} from './live-panels.js';
import { askJob, askState, liveResults } from './live-source.js';
import { Panel } from './panel.js';
import type { ResultsSource } from './results-source.js';
import { ResultsView } from './results-view.js';
import { runSections } from './run-view.js';

const POLL_MS = 1000;
/** Results that are still coming in are read again no more often than this: a plot that jumps cannot be read. */
const PROVISIONAL_MS = 3000;
const DAY_MS = 86_400_000;

/** Follows a coordinator: its jobs, its workers, the chosen job and its results, as they come in and when it has succeeded. */
export class LiveView {
  readonly root = element('div');
  private readonly connection = element('p', { class: 'note', role: 'status' });
  private readonly jobs = new Panel<JobsData>(jobsPanel);
  private readonly workers = new Panel<Pick<LiveState, 'workers' | 'nowMs'>>(workersPanel);
  private readonly job = element('div');
  private chosen: ChosenJob | null = null;

  constructor() {
    this.root.append(
      element('header', {}, element('h1', {}, 'shardex'), this.connection),
      section('Jobs', this.jobs.root),
      section('Workers', this.workers.root),
      this.job,
    );
    window.addEventListener('hashchange', () => void this.refresh());
    void this.poll();
  }

  /** Asks again and again, and not while nobody looks. */
  private async poll(): Promise<void> {
    if (!document.hidden) await this.refresh();
    setTimeout(() => void this.poll(), POLL_MS);
  }

  private async refresh(): Promise<void> {
    try {
      const state = await askState();
      this.show(state);
      await this.chosen?.refresh();
    } catch (error) {
      // The coordinator may have stopped, or be about to come back: what was seen last stays.
      this.tell(`no answer: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private show({ version, nowMs, jobs, olderJobs, workers }: LiveState): void {
    this.tell(`version ${version}, connected`);
    const wanted = decodeURIComponent(location.hash.slice(1));
    const jobId = wanted === '' ? (jobs[0]?.jobId ?? null) : wanted;
    this.jobs.show({ jobs, olderJobs, nowMs: Math.floor(nowMs / DAY_MS) * DAY_MS, chosen: jobId });
    this.workers.show({ workers, nowMs });
    if (jobId === null || this.chosen?.jobId === jobId) return;
    this.chosen = new ChosenJob(jobId);
    this.job.replaceChildren(this.chosen.root);
  }

  /** Said aloud by screen readers: only when it changes. */
  private tell(text: string): void {
    if (this.connection.textContent !== text) this.connection.textContent = text;
  }
}

/** One job, followed to its end. */
class ChosenJob {
  readonly root = element('div');
  private readonly status = element('p', { role: 'status', class: 'hidden' });
  private readonly facts = new Panel<Pick<LiveJobDetails, 'job' | 'throughput'>>(jobFacts);
  private readonly stages = new Panel<Pick<LiveJobDetails, 'job' | 'nowMs'>>(stagesPanel);
  private readonly throughput = new Panel<Pick<LiveJobDetails, 'throughput'>>(throughputPanel);
  private readonly failure = new Panel<FailureData>(failurePanel);
  private readonly events = new Panel<EventsData>(eventsPanel);
  private readonly results = element('div');
  private readonly showAll = element('input', { type: 'checkbox', change: () => this.showEvents() });
  private details: LiveJobDetails | null = null;
  private ended = false;
  private view: ResultsView | null = null;
  /** What the results on the page were made from: comparisons that were done, and when. */
  private shown = { fits: 0, atMs: 0 };

  constructor(readonly jobId: string) {
    this.root.append(
      this.status,
      section(
        `Job ${jobId}`,
        this.facts.root,
        this.failure.root,
        element('div', { class: 'plots' }, this.stages.root, this.throughput.root),
      ),
      this.results,
      section(
        'Events',
        element('label', {}, this.showAll, ' all, not only retries, losses and failures'),
        this.events.root,
      ),
    );
  }

  async refresh(): Promise<void> {
    if (this.ended) return;
    const details = await askJob(this.jobId);
    this.details = details;
    const { job } = details;
    this.ended = hasEnded(job);
    const said = `job ${job.state}`;
    if (this.status.textContent !== said) this.status.textContent = said;
    this.facts.show(details);
    this.failure.show({ job, failure: details.failure, warnings: details.warnings });
    this.stages.show(details);
    this.throughput.show(details);
    this.showEvents();
    if (job.state === 'succeeded') await this.showResults();
    else if (this.ended) this.results.replaceChildren();
    else await this.showProvisional(details);
  }

  private showEvents(): void {
    if (this.details === null) return;
    const { events, troubles, nowMs } = this.details;
    const dayMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
    const none = this.showAll.checked ? 'Nothing has happened yet.' : 'No retry, no loss, no failure.';
    this.events.show({ events: this.showAll.checked ? events : troubles, nowMs: dayMs, none });
  }

  /** The perturbations that are done, when there are more of them than are shown. */
  private async showProvisional({ job, nowMs }: LiveJobDetails): Promise<void> {
    const fits = job.stages.find(({ name }) => name === 'fit')?.tasksDone ?? 0;
    if (fits === 0 || fits === this.shown.fits || nowMs - this.shown.atMs < PROVISIONAL_MS) return;
    this.shown = { fits, atMs: nowMs };
    // An output that was lost is made again: what was seen last stays until then.
    await this.show().catch(() => undefined);
  }

  private async showResults(): Promise<void> {
    try {
      const { overview } = await this.show();
      this.results.append(...runSections(overview));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.results.replaceChildren(element('p', { class: 'note', role: 'alert' }, message));
    }
  }

  /** Puts results in the place of those before; what the reader has chosen stays chosen. */
  private async show(): Promise<ResultsSource> {
    const source = await liveResults(this.jobId);
    if (this.view === null) {
      this.view = new ResultsView(source);
      this.results.replaceChildren(this.view.root);
    } else this.view.update(source);
    return source;
  }
}
