/** Edit distance (insert, delete, replace, swap of neighbours), or `limit + 1` as soon as it must be larger. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, at(beforeLast, j - 2) + 1);
      }
      row.push(best);
    }
    if (Math.min(...row) > limit) return limit + 1;
    beforeLast = last;
    last = row;
  }
  return at(last, b.length);
}

const at = (row: readonly number[], index: number): number => row[index] ?? Number.POSITIVE_INFINITY;

const plain = (text: string): string =>
  text
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ');

/** The name a person who typed `wanted` most likely meant, or null when none is near: at most two in five letters off. */
export function nearest(wanted: string, names: readonly string[]): string | null {
  const target = plain(wanted);
  if (target.length > 200) return null;
  const limit = Math.max(1, Math.floor(target.length * 0.4));
  let best: string | null = null;
  let bestDistance = limit + 1;
  for (const name of names) {
    const found = distance(target, plain(name), limit);
    if (found < bestDistance) {
      best = name;
      bestDistance = found;
    }
  }
  return best;
}
