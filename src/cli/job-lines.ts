import { isLowerBetter, isTerminal } from '../domain/vocabulary.ts';
import { agentRows } from './agent-rows.ts';
import type { JobView, Message, TrialLine } from './job-view.ts';
import { cutLine, type Line, row, type Span, span, widthOf } from './lines.ts';
import { aligned, byteCount, clock, duration, scoreText } from './terminal-text.ts';

export interface Screen {
  /** Columns and rows of the terminal. */
  width: number;
  height: number;
  nowMs: number;
  /** Counts up by one each time the screen is drawn; turns the spinner. */
  frame: number;
  /** A line about the connection or about what Ctrl-C will do next; null for the usual one. */
  footer: string | null;
}

const TRIALS_SHOWN = 8;
const MESSAGES_SHOWN = 5;
/** Never take all of the terminal's height: the cursor needs a row of its own. */
const CURSOR_ROWS = 1;

/** The view as lines that fit the screen. A pure function: the same view and screen give the same lines. */
export function jobLines(view: JobView, screen: Screen): Line[] {
  const { job } = view;
  if (!job) return [[span('Waiting for the first update …', 'dim')]];

  const header = [titleLine(view, screen), progressLine(view, screen)];
  const footer = isTerminal(job.status)
    ? []
    : [[span(screen.footer ?? 'Ctrl-C ends the job and keeps its best model', 'dim')]];
  const boardFrame = view.trials.length > 0 ? 3 : 0;
  const room = screen.height - CURSOR_ROWS - header.length - footer.length - boardFrame - 2;
  const share = shareRows(room, [
    { wanted: view.agents.size, least: 6 },
    { wanted: Math.min(view.trials.length, TRIALS_SHOWN), least: 4 },
    { wanted: Math.min(view.messages.length, MESSAGES_SHOWN), least: 2 },
  ]);
  const [agentRoom = 0, trialRoom = 0, messageRoom = 0] = share;

  const agents = agentRows(view, { ...screen, serverNowMs: serverNow(view, screen.nowMs) }, agentRoom);
  const board = trialRoom > 0 ? leaderboardLines(view, screen, trialRoom) : [];
  const messages =
    messageRoom > 0
      ? view.messages.slice(-messageRoom).map((message) => messageLine(view, message, screen))
      : [];
  return [header, agents, board, messages, footer]
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index > 0 && block !== footer ? [[], ...block] : block))
    .map((line) => cutLine(line, screen.width));
}

/** Hands out rows: first everyone's least, then what is left in order. */
export function shareRows(room: number, parts: readonly { wanted: number; least: number }[]): number[] {
  let left = Math.max(0, room);
  const shares = parts.map(({ wanted, least }) => {
    const given = Math.min(wanted, least, left);
    left -= given;
    return given;
  });
  return shares.map((share, index) => {
    const more = Math.min((parts[index]?.wanted ?? 0) - share, left);
    left -= more;
    return share + more;
  });
}

function titleLine({ job }: JobView, { width }: Screen): Line {
  if (!job) return [];
  const what = [job.task, job.metric].filter((part) => part !== null).join(' · ');
  return row(
    [span(job.dataset.name, 'bold'), span(' → ', 'dim'), span(job.targetColumn, 'bold')],
    [span(what, 'dim')],
    width,
  );
}

function progressLine(view: JobView, screen: Screen): Line {
  const { job } = view;
  if (!job) return [];
  const tone = {
    QUEUED: 'dim',
    RUNNING: 'cyan',
    SUCCEEDED: 'green',
    FAILED: 'red',
    CANCELLED: 'yellow',
  } as const;
  const left: Span[] = [span(job.status, tone[job.status]), span(' ')];
  if (job.status === 'RUNNING' && view.stage) left.push(span(view.stage, 'bold'), span(' '));
  const times = [`${Math.round(job.progress * 100)}%`, clock(elapsedSeconds(view, screen.nowMs))];
  if (!isTerminal(job.status) && job.etaSeconds !== null) times.push(`about ${clock(job.etaSeconds)} left`);
  const right = span(` ${times.join('  ')}`);
  const barColumns = screen.width - widthOf(left) - widthOf([right]);
  if (barColumns < 8) return row(left, [right], screen.width);
  const filled = Math.round(job.progress * barColumns);
  return [
    ...left,
    span('━'.repeat(filled), tone[job.status]),
    span('─'.repeat(barColumns - filled), 'dim'),
    right,
  ];
}

/** Seconds the job has run by the server's clock; what it took once it has ended. */
export function elapsedSeconds(view: JobView, nowMs: number): number {
  const { job } = view;
  if (!job?.startedAt) return 0;
  const until = job.finishedAt?.getTime() ?? serverNow(view, nowMs);
  return Math.max(0, (until - job.startedAt.getTime()) / 1000);
}

const serverNow = ({ clockSkewMs }: JobView, nowMs: number): number =>
  Number.isFinite(clockSkewMs) ? nowMs - clockSkewMs : nowMs;

function leaderboardLines(view: JobView, { width }: Screen, room: number): Line[] {
  const metric = view.job?.metric ?? null;
  const direction =
    metric === null ? '' : `${metric}, ${isLowerBetter(metric) ? 'lower' : 'higher'} is better`;
  const heading = row(
    [span('Leaderboard', 'bold'), span(`  ${direction}`, 'dim')],
    [span('score', 'dim'), span('     fit', 'dim')],
    width,
  );
  const barColumns = width >= 100 ? 24 : 12;
  const rows = view.trials.slice(0, room).map((trial, index) => {
    const best = trial.id === view.bestTrialId;
    const left = [
      span(aligned(String(index + 1), 3, 'right'), 'dim'),
      span(best ? ' ★ ' : '   ', 'yellow'),
      span(trial.name, best ? 'bold' : null),
      span(trial.family === 'BASELINE' ? '' : `  ${trial.family}`, 'dim'),
    ];
    const right = [
      ...gainBar(view.trials, trial, barColumns),
      span(aligned(scoreText(trial.score), 10, 'right'), best ? 'green' : null),
      span(aligned(duration(trial.fitSeconds), 8, 'right'), 'dim'),
    ];
    return row(left, right, width);
  });
  return [heading, ...rows, [span(tally(view), 'dim')]];
}

/** How far from the baseline to the best a trial is: full for the best, empty for the baseline and below. */
function gainBar(trials: readonly TrialLine[], trial: TrialLine, columns: number): Line {
  const baseline = trials.find(({ family }) => family === 'BASELINE');
  const best = trials[0];
  if (!baseline || !best || best.score === baseline.score) return [];
  const gain = (trial.score - baseline.score) / (best.score - baseline.score);
  const filled = Math.round(Math.min(1, Math.max(0, gain)) * columns);
  return [span('━'.repeat(filled), 'green'), span(' '.repeat(columns - filled))];
}

function tally({ trials, artifacts }: JobView): string {
  const parts = [`${trials.length} ${trials.length === 1 ? 'trial' : 'trials'}`];
  const baseline = trials.find(({ family }) => family === 'BASELINE');
  if (baseline) parts.push(`baseline ${scoreText(baseline.score)}`);
  if (artifacts.count > 0)
    parts.push(
      `${artifacts.count} ${artifacts.count === 1 ? 'file' : 'files'}, ${byteCount(artifacts.bytes)}`,
    );
  return `      ${parts.join(' · ')}`;
}

function messageLine({ job }: JobView, message: Message, { width }: Screen): Line {
  const since = job?.startedAt ?? job?.createdAt;
  const seconds = since ? (message.at.getTime() - since.getTime()) / 1000 : 0;
  const tone = { plain: null, good: 'green', warning: 'yellow', error: 'red' } as const;
  return row(
    [span(`${aligned(clock(seconds), 5, 'right')}  `, 'dim'), span(message.text, tone[message.tone])],
    [],
    width,
  );
}
