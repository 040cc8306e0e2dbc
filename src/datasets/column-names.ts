/**
 * Names of the columns from the cells of the header: without blanks around them, the second `x` as `x_2`, an empty one as
 * `column_3`. The toolkit names columns by the same rule (`column_names` in table.py): both must change together.
 */
export function columnNames(header: readonly string[]): string[] {
  const cells = header.map((cell) => cell.trim());
  const taken = new Set(cells);
  const names = new Set<string>();
  cells.forEach((cell, index) => {
    const base = cell === '' ? `column_${index + 1}` : cell;
    let name = base;
    for (let suffix = 2; names.has(name) || (name !== cell && taken.has(name)); suffix++)
      name = `${base}_${suffix}`;
    names.add(name);
  });
  return [...names];
}
