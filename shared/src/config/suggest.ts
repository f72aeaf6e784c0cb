/** Edits (insert, delete, replace, swap of neighbours) that turn one word into the other. */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1];
      let best = Math.min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (same ? 0 : 1));
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) best = Math.min(best, beforePrevious[column - 2] + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length];
}

/**
 * The name a user most likely meant, or null when none is near: at most a third of its letters differ, case ignored, or
 * one of the two begins with the other.
 *
 * Ties go to the earlier name. Cost: O(names × letters²).
 */
export function suggestName(wanted: string, names: Iterable<string>): string | null {
  const lowered = wanted.toLowerCase();
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const candidate = name.toLowerCase();
    const allowed = Math.max(1, Math.floor(Math.max(lowered.length, candidate.length) / 3));
    // Long labels cannot be near when their lengths differ by more than is allowed.
    const tooFar = Math.abs(lowered.length - candidate.length) > allowed;
    let distance = tooFar ? Number.POSITIVE_INFINITY : editDistance(lowered, candidate);
    if (distance > allowed) {
      const isPrefix =
        lowered.length >= 3 &&
        candidate.length >= 3 &&
        (candidate.startsWith(lowered) || lowered.startsWith(candidate));
      distance = isPrefix ? allowed + 1 : Number.POSITIVE_INFINITY;
    }
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Quoted names for a sentence, at most `limit` of them: `"a", "b" and 7 more`. */
export function listNames(names: readonly string[], limit = 8): string {
  const quoted = names.map((name) => `"${name}"`);
  if (quoted.length > limit) return `${quoted.slice(0, limit).join(', ')} and ${quoted.length - limit} more`;
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted[quoted.length - 1]}`;
}
