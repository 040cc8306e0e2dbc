import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { SproutError } from '../../src/domain/errors.ts';
import type { Toolkit, ToolkitCallOptions } from '../../src/sandbox/toolkit.ts';

type Request = Record<string, unknown>;
export interface Call {
  command: string;
  request: Request;
  timeoutMs: number;
}

export interface Script {
  rows?: number;
  /** Columns that models learn from; default: 1. */
  features?: number;
  metric?: 'ROC_AUC' | 'RMSE';
  /** Milliseconds a command takes. */
  delay?(call: Call): number;
  /** Milliseconds a killed command takes to die. */
  dying?: number;
  /** A warning on the way. */
  warn?(call: Call): string | null;
  /** A coded failure instead of the result. */
  fail?(call: Call): { code: string; message: string; hint?: string } | null;
  /** A trial's score; default: a fixed function of family and parameters. */
  score?(call: Call): number;
  /** What the holdout's interval draws; default: rows. */
  intervalOf?: { drawn: 'ROWS' | 'GROUPS' | 'TIMES'; units: number; length: number };
}

const ROWS = { drawn: 'ROWS', units: 80, length: 1 } as const;

/** A toolkit that answers by the book of PROTOCOL.md without any learning: same request, same answer. */
export class ScriptedToolkit implements Toolkit {
  readonly calls: Call[] = [];
  readonly finished: Call[] = [];
  running = 0;
  mostAtOnce = 0;
  readonly #script: Script;

  constructor(script: Script = {}) {
    this.#script = script;
  }

  async call(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown> {
    const call: Call = { command, request: request as Request, timeoutMs: options.timeoutMs };
    this.calls.push(call);
    this.running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    try {
      const warning = this.#script.warn?.(call);
      if (warning) options.onLog?.('WARNING', warning);
      const delay = this.#script.delay?.(call) ?? 0;
      const late = delay > options.timeoutMs;
      await sleep(Math.min(delay, options.timeoutMs), undefined, { signal: options.signal });
      if (late) throw new SproutError('STEP_DEADLINE', `${command} took too long.`);
      const failure = this.#script.fail?.(call);
      if (failure)
        throw new SproutError(failure.code, failure.message, failure.hint ? { hint: failure.hint } : {});
      options.onProgress?.(0.5, 'half way');
      const result = this.#answer(call);
      this.finished.push(call);
      return result;
    } finally {
      if (options.signal?.aborted) await sleep(this.#script.dying ?? 0);
      this.running -= 1;
    }
  }

  async ready(): Promise<void> {
    return;
  }

  async close(): Promise<void> {
    return;
  }

  #answer({ command, request }: Call): unknown {
    const rows = this.#script.rows ?? 400;
    const metric = this.#script.metric ?? 'ROC_AUC';
    switch (command) {
      case 'profile':
        return {
          rows,
          usableRows: rows,
          task: metric === 'RMSE' ? 'REGRESSION' : 'BINARY',
          metric,
          classes: null,
          positiveClass: null,
          columns: [
            { name: 'x', type: 'NUMERIC', missing: 3, distinct: 40, role: 'feature', reason: null },
            { name: 'y', type: 'CATEGORICAL', missing: 0, distinct: 2, role: 'target', reason: null },
          ],
          warnings: [{ code: 'DUPLICATE_ROWS', message: '2 rows are doubled', columns: [] }],
          decisions: [],
          target: { name: 'y' },
        };
      case 'split':
        return {
          trainRows: rows * 0.8,
          holdoutRows: rows * 0.2,
          folds: request.folds ?? 8,
          stratified: true,
          decisions: ['3 of the 15 groups of "who" are sealed, unseen in training.'],
          warnings: [{ code: 'FEW_GROUPS', message: 'only 3 groups are sealed' }],
        };
      case 'prepare':
        return {
          features: [{ name: 'x', type: 'NUMERIC', treatment: 'as it is' }],
          dropped: [],
          decisions: ['x is kept'],
          warnings: [{ code: 'LEAK_LIKELY', message: '"x" alone nearly gives "y" away', columns: ['x'] }],
          estimates: { rows: rows * 0.8, features: this.#script.features ?? 1 },
        };
      case 'train': {
        const score = this.#script.score?.({ command, request, timeoutMs: 0 }) ?? scoreOf(request);
        return {
          trialId: request.trialId,
          family: request.family,
          score,
          foldScores: [score, score],
          fitSeconds: 0.1,
          predictMicrosPerRow: 2,
          parameters: request.params,
          notes: [],
          boundByTime: false,
          sampled: typeof request.mostRows === 'number' && request.mostRows < rows * 0.7,
          modelBytes: 1_000,
        };
      }
      case 'ensemble': {
        const trialIds = request.trialIds as string[];
        return {
          trialId: request.trialId,
          score: metric === 'RMSE' ? 0.01 - trialIds.length / 1e6 : 0.9 + trialIds.length / 1e6,
          foldScores: [0.9],
          fitSeconds: 0.01,
          predictMicrosPerRow: 9,
          weights: Object.fromEntries(trialIds.map((id) => [id, 1 / trialIds.length])),
          modelBytes: 1_000 * trialIds.length,
        };
      }
      case 'evaluate':
        return {
          trialId: request.trialId,
          metric,
          validation: { [metric]: 0.9 },
          baseline: { validation: 0.5, holdout: request.holdout ? 0.5 : null },
          holdout: request.holdout ? { [metric]: 0.88 } : null,
          interval: request.holdout ? { low: 0.84, high: 0.92 } : null,
          intervalOf: request.holdout ? (this.#script.intervalOf ?? ROWS) : null,
          gap: request.holdout ? 0.02 : null,
          warnings: [],
          worstSlices: [],
          importances: null,
        };
      case 'refit':
        return { trialId: (request.trialIds as string[])[0] ?? null, seconds: 0.2, reason: null };
      case 'report':
        return {
          files: [
            {
              path: 'out/model.pkl',
              name: 'model.pkl',
              kind: 'MODEL',
              contentType: 'application/octet-stream',
            },
            { path: 'out/report.html', name: 'report.html', kind: 'REPORT', contentType: 'text/html' },
          ],
          summary: 'A fine model.',
        };
      default:
        throw new SproutError('REQUEST_INVALID', `There is no command "${command}".`);
    }
  }
}

/** 0.6 to 0.88 by a hash of the configuration; the baseline is 0.5. */
function scoreOf(request: Request): number {
  if (request.family === 'BASELINE') return 0.5;
  const hash = createHash('sha256')
    .update(JSON.stringify([request.family, request.params]))
    .digest();
  return 0.6 + (hash.readUInt16LE(0) / 65_536) * 0.28;
}
