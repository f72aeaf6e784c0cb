import type { GenePoint } from './gene-points.js';

/** A gene's name and where it stands, in the plot's pixels from the point. */
export interface GeneLabel {
  readonly point: GenePoint;
  readonly anchor: 'start' | 'end';
  readonly dx: number;
  readonly dy: number;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Width of a character and height of a line of the labels' 11 px, generously. */
const CHARACTER = 7;
const LINE = 13;
const DISTANCE = 5;
const OFFSETS = [0, -8, 8, -16, 16] as const;

/**
 * Places names beside the strongest points so that they cover neither each other nor the frame: right of the point, then
 * left, then a little higher or lower. A name without room is left out.
 *
 * @param points - strongest first
 * @param place - a point's pixels
 */
export function labelGenes(
  points: readonly GenePoint[],
  place: (point: GenePoint) => readonly [number, number],
  frame: Box,
  limit: number,
): GeneLabel[] {
  const labels: GeneLabel[] = [];
  const occupied: Box[] = points.slice(0, 4 * limit).map((point) => {
    const [x, y] = place(point);
    return { left: x - 3, right: x + 3, top: y - 3, bottom: y + 3 };
  });
  for (const point of points) {
    if (labels.length === limit) break;
    const [x, y] = place(point);
    const width = point.gene.length * CHARACTER;
    const sides = point.log2FoldChange < 0 ? (['end', 'start'] as const) : (['start', 'end'] as const);
    const free = OFFSETS.flatMap((dy) => sides.map((anchor) => ({ anchor, dy }))).find(({ anchor, dy }) => {
      const left = anchor === 'start' ? x + DISTANCE : x - DISTANCE - width;
      const box = { left, right: left + width, top: y + dy - LINE / 2, bottom: y + dy + LINE / 2 };
      const isInside = box.left >= frame.left && box.right <= frame.right && box.top >= frame.top - LINE;
      const isFree = occupied.every(
        (other) => box.right < other.left || box.left > other.right || box.bottom < other.top || box.top > other.bottom,
      );
      if (isInside && isFree) occupied.push(box);
      return isInside && isFree;
    });
    if (free === undefined) continue;
    labels.push({ point, anchor: free.anchor, dx: free.anchor === 'start' ? DISTANCE : -DISTANCE, dy: free.dy });
  }
  return labels;
}
