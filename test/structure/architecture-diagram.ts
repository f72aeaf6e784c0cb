import { PACKAGES, isGenerated, isTest, readPackageSources, roomOf, targetOf } from './source-files.js';

/** Every room of `shared` may raise errors: arrows to them would say nothing. */
const COMMON = 'shared/errors';

const nodeOf = (room: string): string => room.replace('/', '_');

/** Rooms that hold sources, sorted, those of a package's own entries last. */
const roomsOf = (name: string, rooms: ReadonlySet<string>): string[] =>
  [...rooms].filter((room) => room.startsWith(`${name}/`) || room === name).sort();

/**
 * The rooms and who imports whom, as Mermaid. An arrow into another package leads to the package as a whole.
 *
 * @returns the text between the fences
 */
export const roomsDiagram = (): string => {
  const products = readPackageSources().filter(({ path }) => !isTest(path) && !isGenerated(path));
  const rooms = new Set(products.map(({ path }) => roomOf(path) ?? path));
  const arrows = new Set<string>();
  for (const { path, imports } of products) {
    const room = roomOf(path) ?? path;
    for (const { specifier } of imports) {
      const target = targetOf(path, specifier);
      const other = target.kind === 'file' ? roomOf(target.path) : target.kind === 'entry' ? target.room : null;
      if (other === null || other === room || other === COMMON) continue;
      const [own, foreign] = [room.split('/')[0], other.split('/')[0]];
      arrows.add(`  ${nodeOf(room)} --> ${own === foreign ? nodeOf(other) : String(foreign)}`);
    }
  }
  const subgraphs = PACKAGES.flatMap((name) => {
    const own = roomsOf(name, rooms);
    if (own.length === 1 && own[0] === name) return [`  ${name}[proto]`];
    const label = (room: string): string => (room === name ? 'main and entries' : (room.split('/')[1] ?? room));
    // A package whose own entries are a room needs another name for the box around it.
    const box = own.includes(name) ? `${name}_package[${name}]` : name;
    return [`  subgraph ${box}`, ...own.map((room) => `    ${nodeOf(room)}[${label(room)}]`), '  end'];
  });
  return ['flowchart TB', ...subgraphs, ...[...arrows].sort()].join('\n');
};
