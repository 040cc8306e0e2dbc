/** Tables made from arithmetic, so that a test needs no data set and always gets the same rows. */

/** Two classes: `label` follows `a`, `b` and `city`, with noise. */
export function binaryTable(rows: number): string {
  const next = sequence(7);
  const lines = ['a,b,city,noise,label'];
  for (let row = 0; row < rows; row++) {
    const [a, b, noise] = [next(), next(), next()];
    const city = ['Oslo', 'Lima', 'Pune', ''][row % 4] ?? '';
    const signal = 3 * a - 2 * b + (city === 'Lima' ? 0.8 : 0) + 1.2 * (next() - 0.5);
    lines.push(
      `${a.toFixed(4)},${row % 17 === 0 ? '' : b.toFixed(4)},${city},${noise.toFixed(4)},${signal > 0.6 ? 'yes' : 'no'}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** A number that follows `a` times `b`, with noise. */
export function regressionTable(rows: number): string {
  const next = sequence(11);
  const lines = ['a,b,c,y'];
  for (let row = 0; row < rows; row++) {
    const [a, b, c] = [next(), next(), next()];
    lines.push(
      `${a.toFixed(4)},${b.toFixed(4)},${c.toFixed(4)},${(10 * a * b + c + next() * 0.3).toFixed(4)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** A fixed sequence of numbers from 0 to 1 (the minimal standard generator of Park and Miller, 1988). */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
