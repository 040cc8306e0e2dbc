import type { CodeRun } from '../../sandbox/untrusted-python.ts';

/** What a language model is told of a table: fit to be read as data, and no cell unless the server's owner shares samples. */

const LONGEST_LABEL = 60;
/** The end of a traceback: it says last what went wrong. */
export const LONGEST_TRACEBACK = 2_000;

/**
 * A name or value from the upload as a label: NFKC, without control, format or private characters, of 60 characters. It is still
 * somebody's text: it stands in JSON, inside a block declared as data.
 */
export function label(text: string): string {
  const plain = text
    .normalize('NFKC')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const characters = Array.from(plain);
  return characters.length <= LONGEST_LABEL ? plain : `${characters.slice(0, LONGEST_LABEL - 1).join('')}…`;
}

/** Text of agent-written code or of its errors, without what a terminal or a reader could trip over. */
export const cleaned = (text: string): string =>
  text
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{C}\n]/gu, ' ')
    .trim();

/**
 * How the code failed, in at most 2 kB. Messages of errors may quote cells, so where samples are not shared each word that is
 * neither the code's own nor one that errors are made of is left out, and nothing that was printed is told.
 */
export function toldOfFailure(run: CodeRun, source: string, share: boolean): string {
  const raised = cleaned(run.raised).slice(-LONGEST_TRACEBACK);
  if (share) {
    const printed = cleaned(run.printed).slice(-LONGEST_TRACEBACK / 2);
    return [raised, printed && `It printed:\n${printed}`]
      .filter(Boolean)
      .join('\n')
      .slice(-LONGEST_TRACEBACK);
  }
  return withoutCells(raised, source);
}

/** The text with every word replaced by `…` that stands neither in the source nor among those of errors. */
export function withoutCells(text: string, source: string): string {
  const known = new Set(wordsOf(source));
  const lines = source.split('\n').length;
  return text
    .split('\n')
    .map((line) => {
      const place = /^ {2}line (\d{1,5}), in (\w+|<\w+>)$/.exec(line);
      if (place && Number(place[1]) <= lines && known.has(place[2] ?? '')) return line;
      return line
        .replace(WORD, (word) => (known.has(word) || ERROR_WORDS.has(word.toLowerCase()) ? word : '…'))
        .replace(/…(?:[\s'",]*…)+/g, '…');
    })
    .join('\n');
}

const WORD = /[\p{L}\p{N}_]+/gu;
const wordsOf = (text: string): string[] => text.match(WORD) ?? [];

/** Words that Python, NumPy, pandas and scikit-learn build their messages of. Numbers are not among them: a cell may be one. */
const ERROR_WORDS: ReadonlySet<string> = new Set(
  `a above all allowed already ambiguous an and any are argument arguments array arrays as assertionerror asserted at attribute
attributeerror axis bad base be before between bool boolean both by call callable can cannot cast categorical category cells code
codes column columns convert conversion could data dataframe datetime decimal defined dimension dimensions direct division do does
duplicate during element elements empty error estimator even exceed expected fail failed false feature features file filled finite
first fit fitted float float64 floating for format found frame from function get given got greater has have id implemented import
importerror in inconsistent incorrect index indexerror indexing indices infinity inf input inputs instance instead int integer
integers into invalid is it item iterable its key keyerror keys keyword last least length lengths level like line list literal
local location loc many match matching max maximum memory memoryerror method min minimum mismatch missing mixed model module
modulenotfounderror more must na name named nameerror nan negative no non none nonetype not null number numbers numeric numpy object
objects of on one only operand operands operation operator or other out overflow overflowerror pandas parameter parse parsing
passed permission pipeline position positional possible predict probability provided raised range read recursion recursionerror
referenced required requires returned returns row rows runtimeerror same sample samples scalar sequence series set shape shapes
should single size sklearn some state str string strings support supported syntaxerror takes target than that the their there these
this time timestamp to too transform transpose traceback true tuple type typeerror types unbound unboundlocalerror unexpected
unhashable unknown unseen unsupported use used using valid value valueerror values variable was when where which with within without
y zero zerodivisionerror cell answered were to_numeric labels label boundaries bin bins edges monotonically increase increasing
unique reshape your either array-like 1d 2d dtype dtypes ufunc loop signature keep every kept changed answer`
    .split(/\s+/)
    .filter(Boolean),
);
