/**
 * The cycles of a directed graph, one for each strongly connected component that has one: its members sorted.
 *
 * @param edges node → the nodes it points to; every node is a key
 * @source R. Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1 (1972) 146-160
 */
export const findCycles = (edges: ReadonlyMap<string, readonly string[]>): string[][] => {
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];

  const visit = (node: string): void => {
    const mine = index.size;
    index.set(node, mine);
    lowest.set(node, mine);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node) ?? mine, lowest.get(next) ?? mine));
    }
    if (lowest.get(node) !== mine) return;
    const component = stack.splice(stack.indexOf(node));
    if (component.length > 1 || (edges.get(node) ?? []).includes(node)) cycles.push(component.sort());
  };

  for (const node of edges.keys()) if (!index.has(node)) visit(node);
  return cycles;
};
