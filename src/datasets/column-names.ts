/** What Python's `str.strip` takes for a blank: unlike `trim`, the separators \x1c to \x1f, and no byte order mark. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators are what it is about
const BLANKS = /^[\p{White_Space}\x1c-\x1f]+|[\p{White_Space}\x1c-\x1f]+$/gu;

/** A cell of the header without the blanks around it, as the toolkit strips it. */
export const stripped = (cell: string): string => cell.replace(BLANKS, '');

/**
 * Names of the columns from the cells of the header: without blanks around them, the second `x` as `x_2`, an empty one as
 * `column_3`. The toolkit names columns by the same rule (`column_names` in table.py): both must change together.
 */
export function columnNames(header: readonly string[]): string[] {
  const cells = header.map(stripped);
  const taken = new Set(cells);
  const names = new Set<string>();
  // Where the last one left off: thousands of columns of one name would try every number for each of them.
  const nextSuffix = new Map<string, number>();
  cells.forEach((cell, index) => {
    const base = cell === '' ? `column_${index + 1}` : cell;
    let name = base;
    let suffix = nextSuffix.get(base) ?? 2;
    while (names.has(name) || (name !== cell && taken.has(name))) name = `${base}_${suffix++}`;
    nextSuffix.set(base, suffix);
    names.add(name);
  });
  return [...names];
}
