export type Redact = (text: string) => string;

/** Shorter than this is no key, and would blank out innocent words. */
const SHORTEST_KEY = 8;
const MASK = '[key]';
/** A key as vendors write it, also with its middle starred out, and whatever a header carried. */
const KEY_LIKE = /\b(?:sk|sess|pk)-(?=[\w*-]*[\d*])[\w*-]{8,}|\bBearer\s+[^\s"',}]+/gi;

/** Takes the given secrets out of a text. Everything that comes from the wire passes through it before anyone sees it. */
export function redactor(secrets: readonly (string | null)[]): Redact {
  const known = secrets.filter((secret): secret is string => (secret?.length ?? 0) >= SHORTEST_KEY);
  // As it is, and as it stands inside JSON and addresses.
  const forms = known.flatMap((key) => [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)]);
  const unique = [...new Set(forms)].toSorted((a, b) => b.length - a.length);
  return (text) => unique.reduce((clean, form) => clean.replaceAll(form, MASK), text);
}

/** For what a server says in an error, which may echo any key, in part too. */
export const redactError = (redact: Redact, text: string): string => redact(text).replace(KEY_LIKE, MASK);
