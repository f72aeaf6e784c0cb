/** Middle value; the mean of the two middle ones for an even number of values. */
export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const seconds = (value) => (value === null ? '–' : value.toFixed(value < 10 ? 2 : 1));
const mebibytes = (bytes) => (bytes === 0 ? '–' : `${(bytes / 2 ** 20).toFixed(0)}`);

/**
 * One case as a Markdown table, a line a command.
 *
 * @param {{ name: string, description: string, input: string }} benchmark
 * @param {{ name: string, runs: import('./measure-process.mjs').Measurement[], note?: string }[]} rows in the order of the
 *   case; a command that was not run has no runs and a note that says why
 * @param {number | null} floorSeconds what the ratio is to: the floor's median wall time
 */
export const renderCase = ({ name, description, input }, rows, floorSeconds) => {
  const lines = rows.map(({ name: command, runs, note }) => {
    if (runs.length === 0) return `| ${command} | ${note} | | | | | |`;
    const walls = runs.map(({ wallSeconds }) => wallSeconds);
    const wall = median(walls);
    const cpu = runs.some(({ cpuSeconds }) => cpuSeconds === null) ? null : median(runs.map((run) => run.cpuSeconds));
    const ratio = floorSeconds === null ? '–' : (wall / floorSeconds).toFixed(2);
    const peaks = ['peakProcessBytes', 'peakTotalBytes'].map((field) =>
      mebibytes(median(runs.map((run) => run[field]))),
    );
    const range = `${seconds(Math.min(...walls))} to ${seconds(Math.max(...walls))}`;
    return `| ${command} | ${seconds(wall)} | ${range} | ${ratio} | ${seconds(cpu)} | ${peaks.join(' | ')} |`;
  });
  return [
    `### ${name}`,
    '',
    `${description} Input: ${input}. Medians of ${Math.max(...rows.map(({ runs }) => runs.length))} runs.`,
    '',
    '| Command | Wall s | Range s | × floor | CPU s | Peak of one process MiB | Peak of all MiB |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
  ].join('\n');
};

/** Name and value a line, as a Markdown table. */
export const renderFacts = (facts) =>
  ['| | |', '| --- | --- |', ...facts.map(([name, value]) => `| ${name} | ${value} |`), ''].join('\n');
