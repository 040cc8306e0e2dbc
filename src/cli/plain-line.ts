import type { JobEvent } from '../domain/events.ts';
import { aligned, duration, withoutControls } from './terminal-text.ts';
import type { JobUpdate } from './wire.ts';

/**
 * One thing that happened as one line for a log: seconds since the job was made, who, what. Null for what only makes sense
 * in a moving picture.
 */
export function plainLine({ job, event }: JobUpdate): string | null {
  if (event === null || !isWorthALine(event)) return null;
  const seconds = (event.at.getTime() - job.createdAt.getTime()) / 1000;
  const who = (event.agent ?? event.stage ?? 'job').toLowerCase().replace('_', ' ');
  return `${aligned(duration(seconds), 7, 'right')}  ${aligned(who, 14)}  ${withoutControls(event.message)}`;
}

function isWorthALine(event: JobEvent): boolean {
  switch (event.type) {
    case 'ProgressMade':
    case 'StepStarted':
    case 'StageFinished':
    case 'AgentFinished':
      return false;
    default:
      return true;
  }
}
