import { describe, expect, it } from 'vitest';
import { cleaned, label, toldOfFailure, withoutCells } from '../../src/agents/code/told.ts';
import type { CodeRun } from '../../src/sandbox/untrusted-python.ts';

const run = (raised: string, printed = ''): CodeRun => ({
  exit: { reason: 'exited', code: 3, signal: null },
  raised,
  printed,
});

describe('a label', () => {
  it.each([
    ['plain', 'plain'],
    ['ﬁne　wide', 'fine wide'],
    ['a\u0000b\u001b[31mc', 'a b [31mc'],
    ['right\u202eleft\u200bzero', 'right left zero'],
    ['line\nbreak\u2028more', 'line break more'],
    ['x'.repeat(200), `${'x'.repeat(59)}…`],
    ['😀'.repeat(70), `${'😀'.repeat(59)}…`],
  ])('of %j is %j', (text, expected) => {
    expect(label(text)).toBe(expected);
  });
});

describe('what is told of a failure', () => {
  const source = "def features(frame):\n    return frame['c2'].astype(float)";

  it('is the code, the line and the kind of error, and no cell', () => {
    const raised =
      "Traceback of the code:\n  line 2, in features\nValueError: could not convert string to float: 'Jane Doe 4711'";
    const told = toldOfFailure(run(raised, 'Jane printed'), source, false);
    expect(told).toContain('in features');
    expect(told).toContain('ValueError: could not convert string to float');
    expect(told).not.toMatch(/Jane|Doe|4711|printed/);
  });

  it('keeps the words of the code itself', () => {
    expect(withoutCells("KeyError: 'c2'", source)).toBe("KeyError: 'c2'");
    expect(withoutCells("KeyError: 'c9'", source)).not.toContain('c9');
  });

  it('is all of it, at most 2 kB, where samples are shared', () => {
    const told = toldOfFailure(run(`${'x'.repeat(9_000)}\nValueError: Jane`, 'seen: Doe'), source, true);
    expect(told).toContain('Jane');
    expect(told).toContain('Doe');
    expect(told.length).toBeLessThanOrEqual(2_000);
  });

  it('holds nothing that moves a cursor', () => {
    expect(cleaned('a\u001b[2Jb\r\nc\u0007')).toBe('a [2Jb\nc');
  });
});
