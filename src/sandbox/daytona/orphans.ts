/** What is looked at of a sandbox to tell whether anybody needs it. */
export interface Listed {
  name: string;
  labels: Readonly<Record<string, string>>;
  createdAt?: string | undefined;
}

/** Names of sandboxes that no living job owns, that are older than the grace period, and that nobody is to look at. */
export function orphans(
  found: readonly Listed[],
  living: ReadonlySet<string>,
  { now, graceMs }: { now: number; graceMs: number },
): string[] {
  return found
    .filter(({ labels, createdAt }) => {
      if (living.has(labels.job ?? '')) return false;
      if (labels.keptUntil !== undefined && now < Date.parse(labels.keptUntil)) return false;
      return createdAt !== undefined && now - Date.parse(createdAt) >= graceMs;
    })
    .map(({ name }) => name);
}
