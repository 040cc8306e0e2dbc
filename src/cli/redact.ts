/**
 * Blanks secrets in a finished log line, wherever in it they stand: in a message, a stack, a header, a URL. By value those of
 * the configuration; by form those that come from outside.
 */
export function redactor(secrets: readonly string[]): (line: string) => string {
  // As they stand inside a JSON string. Shorter ones would blank ordinary words.
  const values = secrets
    .filter(({ length }) => length >= 8)
    .map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => {
    let clean = line;
    for (const value of values) clean = clean.replaceAll(value, BLANK);
    for (const [form, replacement] of FORMS) clean = clean.replace(form, replacement);
    return clean;
  };
}

const BLANK = '[redacted]';

const FORMS: readonly (readonly [RegExp, string])[] = [
  // Fields of ours or of a library that are secret by their name, whatever is in them.
  [
    /("(?:authorization|proxy-authorization|cookie|set-cookie|password|secret|token|api[-_]?key|webhook-signature)":")(?:[^"\\]|\\.)*"/gi,
    `$1${BLANK}"`,
  ],
  [/\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${BLANK}`],
  // Our API keys: the id says which, the rest is nobody's business.
  [/\b(sprt_[A-Za-z0-9]+)_[A-Za-z0-9_-]+/g, `$1_${BLANK}`],
  [/\bwhsec_[A-Za-z0-9+/=]+/g, `whsec_${BLANK}`],
  [/\bsk-[A-Za-z0-9_-]{16,}/g, `sk-${BLANK}`],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, BLANK],
  [/([?&](?:signature|token|access_token|api_key)=)[^&"\s\\]+/gi, `$1${BLANK}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"]*:)[^\s/@"]+@/gi, `$1${BLANK}@`],
];
