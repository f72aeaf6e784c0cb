/** A value stands apart when it is so many times the third largest. */
const APART = 5;

/**
 * End of an axis of −log10 p: the largest value, or where one or two stand so far apart that all others would lie flat, twice
 * the third largest. At most two points are then drawn at its end.
 *
 * @param values - in any order, of which those below 1 do not count
 */
export function significanceReach(values: readonly number[]): number {
  const [first = 1, , third = first] = [...values].sort((left, right) => right - left).map((one) => Math.max(1, one));
  return first > APART * third ? 2 * third : first;
}
