import { createLogUpdate } from 'log-update';
import { jobLines } from './job-lines.ts';
import { applyUpdate, EMPTY_VIEW } from './job-view.ts';
import { painted } from './lines.ts';
import { plainLine } from './plain-line.ts';
import type { JobUpdate } from './wire.ts';

/** Where the updates of a job go while somebody waits for its end. */
export interface JobDisplay {
  show(update: JobUpdate): void;
  /** Something about us rather than the job: the connection, what Ctrl-C will do. Null takes the last one back. */
  note(text: string | null): void;
  /** The last picture stays; the terminal is as it was before. */
  close(): void;
}

/** A live picture on a terminal, JSON lines for a program, and otherwise a line for each thing that happened. */
export function openJobDisplay(options: { json: boolean; out: NodeJS.WriteStream }): JobDisplay {
  if (options.json) return jsonDisplay(options.out);
  // A terminal too small for the picture, or one that cannot move its cursor, gets the lines.
  return options.out.isTTY && options.out.columns >= 40 && options.out.rows >= 12
    ? livePicture(options.out)
    : plainLines(options.out);
}

const FRAME_MS = 100;

function livePicture(out: NodeJS.WriteStream): JobDisplay {
  const screen = createLogUpdate(out);
  let view = EMPTY_VIEW;
  let footer: string | null = null;
  let frame = 0;
  const draw = () => {
    const size = { width: out.columns, height: out.rows, nowMs: Date.now(), frame, footer };
    screen(
      jobLines(view, size)
        .map((line) => painted(line, out))
        .join('\n'),
    );
    frame += 1;
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    show(update) {
      view = applyUpdate(view, update, Date.now());
    },
    note(text) {
      footer = text;
    },
    close() {
      clearInterval(timer);
      draw();
      screen.done();
    },
  };
}

function plainLines(out: NodeJS.WriteStream): JobDisplay {
  let told = '';
  return {
    show(update) {
      // A finished step and the trial it made are two events in the same words.
      if (update.event?.message === told) return;
      const line = plainLine(update);
      if (line === null) return;
      told = update.event?.message ?? '';
      out.write(`${line}\n`);
    },
    note(text) {
      if (text !== null) out.write(`${text}\n`);
    },
    close() {
      // Every line is out already.
    },
  };
}

function jsonDisplay(out: NodeJS.WriteStream): JobDisplay {
  const print = (value: unknown) => out.write(`${JSON.stringify(value)}\n`);
  return {
    show: ({ sequence, job, event }) => print({ type: 'update', sequence, job, event }),
    note: (text) => {
      if (text !== null) print({ type: 'note', message: text });
    },
    close() {
      // The result is the last line, and the caller's to print.
    },
  };
}
