/**
 * The rows of a small piece of a table, cell by cell, as RowScanner finds them and as pandas reads them: a quote opens only
 * at the start of a field, what follows the closing quote belongs to the field (`"a"b` is `ab`), rows end with LF, CRLF or
 * CR in any mixture, lines of nothing but blanks are skipped. CSV libraries differ in just these, and a header that is read
 * in two ways is a target looked for in the wrong column.
 */
export function* readRows(text: string, delimiter: string): Generator<string[]> {
  let row: string[] = [];
  let field = '';
  let isStart = true;
  let isQuoted = false;
  let isBlank = true;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (isQuoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') {
        field += '"';
        at++;
      } else isQuoted = false;
    } else if (character === delimiter) {
      row.push(field);
      field = '';
      isStart = true;
      isBlank = false;
    } else if (character === '\n' || character === '\r') {
      if (!isBlank) yield [...row, field];
      row = [];
      field = '';
      isStart = true;
      isBlank = true;
    } else {
      if (character === '"' && isStart) isQuoted = true;
      else field += character;
      if (character !== ' ' && character !== '\t') isBlank = false;
      isStart = false;
    }
  }
  if (!isBlank) yield [...row, field];
}
