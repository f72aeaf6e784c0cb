/** The functions of jstat that are used here; the package has no types of its own. Its distributions lose their tails. */
declare module 'jstat' {
  const jstat: {
    /** Middle value, or the mean of the two middle ones; the array is not changed. */
    median(values: readonly number[]): number;
  };
  export default jstat;
}
