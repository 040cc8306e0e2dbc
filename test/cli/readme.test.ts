import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { DOCUMENTS } from '../../src/cli/documents.ts';
import { EXIT_CODE_MEANINGS } from '../../src/cli/exit-codes.ts';
import { describeConfig } from '../../src/config.ts';

const PROJECT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');
const README = read('README.md');
const schema = buildSchema(read('schema.graphql'));
const problems = (source: string) => validate(schema, parse(source)).map(({ message }) => message);
const codeBlocks = (language: string) =>
  [...README.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code]) => String(code));
/** The cells of every table row whose first cell is such. */
const tableRows = (first: RegExp) =>
  README.split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([cell]) => first.test(cell ?? ''));

describe('the README', () => {
  it('lists every variable of the configuration with its default and meaning, and no other', () => {
    const rows = describeConfig().map((variable) => {
      return [`\`${variable.name}\``, variable.default && `\`${variable.default}\``, variable.description];
    });
    expect(tableRows(/^`[A-Z_]+`$/)).toEqual(rows);
  });

  it('lists every exit code', () => {
    const rows = EXIT_CODE_MEANINGS.map(({ code, meaning }) => [String(code), meaning]);
    expect(tableRows(/^\d+$/)).toEqual(rows);
  });

  it('shows only operations that the schema allows', () => {
    const inCurl = [...README.matchAll(/(?:operations=|-d )'(\{.*?\})'/g)].map(
      ([, json]) => JSON.parse(String(json)).query,
    );
    const operations = [...codeBlocks('graphql'), ...inCurl];
    expect(operations).toHaveLength(5);
    for (const operation of operations) expect(problems(operation)).toEqual([]);
  });

  it('names only npm scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const named = [...README.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => String(name));
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect(scripts).toHaveProperty([name]);
  });

  it('points only to files that there are', () => {
    const links = [...README.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) => String(path));
    expect(links.length).toBeGreaterThan(2);
    for (const path of links)
      expect({ path, there: existsSync(join(PROJECT, path)) }).toEqual({ path, there: true });
  });
});

describe('the command line', () => {
  it.each(Object.entries(DOCUMENTS))('asks %s as the schema allows', (_name, document) => {
    expect(problems(document)).toEqual([]);
  });
});
