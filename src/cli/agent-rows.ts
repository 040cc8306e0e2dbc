import type { AgentRun, JobView } from './job-view.ts';
import { type Line, row, type Span, span } from './lines.ts';
import { aligned, duration } from './terminal-text.ts';

const WIDE_SCREEN = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** `serverNowMs` is the time by the server's clock, which the agents' own times are in. */
interface AgentScreen {
  width: number;
  frame: number;
  serverNowMs: number;
}

/**
 * The team as a tree, one row per agent's run, in at most `room` rows. When it is too tall, runs that ended are left out,
 * oldest first (a child always ends before its parent), and one row says how many.
 */
export function agentRows(view: JobView, screen: AgentScreen, room: number): Line[] {
  if (room <= 0) return [];
  const all = [...view.agents.values()];
  const hidden = hiddenRuns(all, room);
  const shown = all.filter(({ run }) => !hidden.has(run));
  const rows = branches(shown, null, '').map(({ agent, trunk }) => agentRow(agent, trunk, shown, screen));
  if (hidden.size > 0) rows.push([span(`   … and ${hidden.size} that ended earlier`, 'dim')]);
  return rows.length > room ? [...rows.slice(0, room - 1), [span('   …', 'dim')]] : rows;
}

function hiddenRuns(agents: readonly AgentRun[], room: number): ReadonlySet<string> {
  if (agents.length <= room) return new Set();
  const surplus = agents.length - room + 1;
  const ended = agents
    .filter((agent) => agent.seconds !== null && agent.parent !== null)
    .toSorted((a, b) => endedAt(a) - endedAt(b));
  return new Set(ended.slice(0, surplus).map(({ run }) => run));
}

const endedAt = (agent: AgentRun): number => agent.startedAt.getTime() + (agent.seconds ?? 0) * 1000;

interface Branch {
  agent: AgentRun;
  trunk: string;
}

function branches(agents: readonly AgentRun[], parent: string | null, trunk: string): Branch[] {
  const present = new Set(agents.map(({ run }) => run));
  const children = agents.filter((agent) =>
    parent === null ? agent.parent === null || !present.has(agent.parent) : agent.parent === parent,
  );
  return children.flatMap((agent, index) => {
    const last = index === children.length - 1;
    const own = parent === null ? '' : `${trunk}${last ? '└─ ' : '├─ '}`;
    const below = parent === null ? ' ' : `${trunk}${last ? '   ' : '│  '}`;
    return [{ agent, trunk: own }, ...branches(agents, agent.run, below)];
  });
}

function agentRow(
  agent: AgentRun,
  trunk: string,
  shown: readonly AgentRun[],
  { width, frame, serverNowMs }: AgentScreen,
): Line {
  const running = agent.seconds === null;
  const left: Span[] = [
    span(trunk, 'dim'),
    running ? span(SPINNER[frame % SPINNER.length] ?? '•', 'cyan') : span('✓', 'green'),
    span(` ${agent.name}`, running ? 'bold' : null),
  ];
  const delegating = shown.some((other) => other.parent === agent.run && other.seconds === null);
  const step = running && !delegating ? [...agent.steps].at(-1) : undefined;
  if (step) {
    const [label, { note }] = step;
    left.push(span(`  ${label}`));
    if (note) left.push(span(`  ${note}`, 'dim'));
  } else if (agent.remark) {
    left.push(span(`  ${agent.remark}`, 'dim'));
  }
  return row(left, rightOf(agent, serverNowMs, width), width);
}

function rightOf(agent: AgentRun, serverNowMs: number, width: number): Line {
  const { stepsDone, stepsFailed } = agent;
  // On a narrow screen the words on the left say more than the count.
  const steps =
    stepsDone === 0 || width < WIDE_SCREEN ? '' : `${stepsDone} ${stepsDone === 1 ? 'step' : 'steps'}`;
  const seconds = agent.seconds ?? (serverNowMs - agent.startedAt.getTime()) / 1000;
  return [
    span(stepsFailed === 0 ? '' : `${stepsFailed} failed `, 'yellow'),
    span(width < WIDE_SCREEN ? '' : aligned(steps, 9, 'right'), 'dim'),
    span(aligned(duration(seconds), 8, 'right'), 'dim'),
  ];
}
