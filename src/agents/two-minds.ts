import { messageOf, StaleAttemptError } from '../domain/errors.ts';
import { type AgentContext, EXPLORED, type Team } from './context.ts';
import { announce, conclude, converse, runAgent } from './delegate.ts';
import { once } from './once.ts';
import { masterTrainerSeat } from './roles/master-trainer.ts';
import { explorer, opener, orchestratorSeat } from './roles/orchestrator.ts';

/** What the lead is asked. */
export const TASK = 'Train the best model for this job.';
const TITLE = 'Orchestrator';

const baselineTrainer = masterTrainerSeat('playbook');

/**
 * Where trials are counted, the playbook's portfolio beside the model is planned with half of them. In the end it is planned with all:
 * those that are trained by then are not trained again, and the rest are tried as long as any are left.
 */
const SHARE_BESIDE = 0.5;
const SHARE_IN_THE_END = 1;

const closer = orchestratorSeat('playbook', SHARE_IN_THE_END);

const WATCH_MILLISECONDS = 200;
/** A resumed exploration tells again what it had found; when nothing has come for so long, that is over. */
const RETELLING_MILLISECONDS = 3_000;
/** What the model has been asked when all trials are used is paid for: so long it is waited for, to be counted. */
const LAST_TURNS_MILLISECONDS = 5_000;
const TRIALS_USED = 'all trials were used';

/**
 * A job that a language model leads, which it can only make better: the playbook opens it, trains its own portfolio beside the
 * model's work within the same time and cores, and ends it with whatever scores best. So nothing depends on the model: what it
 * breaks, forgets or leaves undone is the playbook's to do.
 */
export async function runTwoMinds(lead: AgentContext): Promise<void> {
  const { team } = lead;
  const startedAt = await announce(lead, TITLE);
  await runAgent(
    childOf(lead, 'opening'),
    opener,
    { run: `${lead.run}/opening`, task: TASK },
    'Orchestrator (opening)',
  );

  const trainer = childOf(lead, 'baseline');
  const baseline = runAgent(
    { ...trainer, role: 'MASTER_TRAINER', author: 'PLAYBOOK', delegation: 0, trialShare: SHARE_BESIDE },
    baselineTrainer,
    { run: trainer.run, task: {} },
    "Master trainer (the playbook's own)",
  );
  // Whoever awaits it below hears of a failure; until then it must not end the process.
  baseline.catch((error: unknown) => team.fail(error));

  const outcome = await explore(lead);
  await baseline;
  await runAgent(
    childOf(lead, 'closing'),
    closer,
    { run: `${lead.run}/closing`, task: TASK },
    'Orchestrator (closing)',
  );
  await conclude(lead, TITLE, outcome, startedAt);
}

const childOf = (parent: AgentContext, segment: string): AgentContext => ({
  team: parent.team,
  role: 'ORCHESTRATOR',
  run: `${parent.run}/${segment}`,
  parentRun: parent.run,
  calls: new Map(),
  outcome: null,
});

/**
 * Lets the language model work until it finishes or the search is over; whatever becomes of it, the job goes on. Returns how it
 * ended, in words.
 */
async function explore(lead: AgentContext): Promise<string> {
  const { team } = lead;
  const key = EXPLORED;
  const before = await team.recorder.finishedStep(key);
  const over = new AbortController();
  const end = (why: string) => over.abort(new ExplorationOver(why));
  // What an earlier attempt found is told again first, however late it is.
  let heardAt = team.job.attempt > 1 ? performance.now() : Number.NEGATIVE_INFINITY;
  let restsSince: number | null = null;
  const awaitsLastTurns = () => {
    team.turns.over = true;
    restsSince ??= performance.now();
    return team.turns.underWay > 0 && performance.now() - restsSince < LAST_TURNS_MILLISECONDS;
  };
  const watch = setInterval(() => {
    const quietMs = performance.now() - heardAt;
    if (before !== null) {
      if (quietMs > RETELLING_MILLISECONDS) end('it had ended before');
    } else if (quietMs > RETELLING_MILLISECONDS || team.job.attempt === 1) {
      const why = searchIsOver(team);
      if (why !== null && !(why === TRIALS_USED && awaitsLastTurns())) end(why);
    }
  }, WATCH_MILLISECONDS);
  const exploring: Team = {
    ...team,
    signal: AbortSignal.any([team.signal, over.signal]),
    fail(error) {
      // A lost claim ends the job; anything else ends the exploration alone.
      if (error instanceof StaleAttemptError) team.fail(error);
      else if (!over.signal.aborted) over.abort(error);
    },
    retelling: {
      only: before !== null,
      heard() {
        heardAt = performance.now();
      },
    },
  };
  try {
    const work = converse({ ...lead, team: exploring }, explorer, { run: lead.run, task: TASK }, TITLE);
    // A model that hears no signal is left to itself: the job does not wait for it.
    const outcome = await Promise.race([work, rejection(over.signal)]);
    await once(lead, key, []);
    return outcome;
  } catch (error) {
    team.signal.throwIfAborted();
    const cause = over.signal.aborted ? over.signal.reason : error;
    if (cause instanceof StaleAttemptError) throw cause;
    const reason = messageOf(cause);
    const expected = cause instanceof ExplorationOver || before !== null;
    await once(
      lead,
      key,
      expected
        ? []
        : [
            {
              type: 'FallbackUsed',
              agentRun: lead.run,
              from: 'LANGUAGE_MODEL',
              to: 'PLAYBOOK',
              reason,
              stage: team.meter.stage,
              agent: 'ORCHESTRATOR',
              message: `The playbook goes on alone: ${reason}`,
            },
          ],
    );
    return expected ? `The language model's work ended: ${reason}.` : 'The playbook went on alone.';
  } finally {
    clearInterval(watch);
    // Calls that are still under way, as a trial being killed, end by themselves.
    end('it is over');
  }
}

/** Why nothing more can be tried, in words; null: something can. */
function searchIsOver({ searchSignal, budget, board, job, slots }: Team): string | null {
  if (searchSignal.aborted) return 'the search was over';
  if (budget.searchLeft === 0) return 'the time for the search was used';
  const { maxTrials } = job.options;
  return maxTrials !== null && board.trialsStarted >= maxTrials && slots.idle ? TRIALS_USED : null;
}

/** Rejects with the signal's reason once it is aborted. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The exploration ends because it is time. */
export class ExplorationOver extends Error {}
