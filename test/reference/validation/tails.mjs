// p-values beside mpmath: normal and Student tails, and the likelihood-ratio test's from its statistic.
import { fileURLToPath } from 'node:url';
import { log10NormalTwoSided, log10StudentTwoSided, normalTwoSided, studentTwoSided } from '@shardex/shared/stats';
import { runPython, table } from './runs.mjs';

const JUDGE = fileURLToPath(new URL('judge-tails.py', import.meta.url));
const BANDS = [
  [0, 1],
  [1, 10],
  [10, 40],
  [40, 300],
];
const DEGREES = [1, 2.5, 10, 100, 1e4, 1e7];
const VALUES_PER_BAND = 50;
/** Multiples of it, without their whole parts, fill an interval evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** What the judge calls a distribution, its statistic at |z| or |t| = x, and how we turn that into p and log10 p. */
const DISTRIBUTIONS = [
  { title: 'normal', df: 'inf', statisticAt: (x) => x, tail: (z) => [normalTwoSided(z), log10NormalTwoSided(z)] },
  {
    title: 'likelihood ratio (χ², 1 df), at z²',
    df: 'chi-square',
    statisticAt: (x) => x * x,
    tail: (statistic) => [normalTwoSided(Math.sqrt(statistic)), log10NormalTwoSided(Math.sqrt(statistic))],
  },
  ...DEGREES.map((df) => ({
    title: `Student, ${df.toLocaleString('en')} df`,
    df: String(df),
    statisticAt: (x) => x,
    tail: (t) => [studentTwoSided(t, df), log10StudentTwoSided(t, df)],
  })),
];

const valuesOf = ({ statisticAt, tail }, band) => {
  const [low, high] = band.map(statisticAt);
  return Array.from({ length: VALUES_PER_BAND }, (_, i) => {
    const statistic = low + (high - low) * ((i * GOLDEN) % 1);
    return [statistic, ...tail(statistic)];
  });
};

/** The table of largest errors: a row a distribution, a column a band of |z| or |t|. */
export const tails = () => {
  const asked = DISTRIBUTIONS.map((one) => ({ df: one.df, bands: BANDS.map((band) => valuesOf(one, band)) }));
  const judged = JSON.parse(runPython(JUDGE, JSON.stringify(asked)));
  const named = BANDS.map(([low, high]) => `${low} to ${high}`);
  const figure = (error) => (error === null ? '–' : error.toExponential(1));
  table(
    ['', ...named.map((name) => `p, ${name}`), ...named.map((name) => `log10 p, ${name}`)],
    DISTRIBUTIONS.map(({ title }, row) => [
      title,
      ...judged[row].map(({ p }) => figure(p)),
      ...judged[row].map(({ log10P }) => figure(log10P)),
    ]),
  );
};
