import type { JobColumn } from '../domain/records.ts';
import type { ColumnRole } from '../domain/vocabulary.ts';
import type { PrepareResult, ProfileResult } from './toolkit-protocol.ts';

const ROLES: Readonly<Record<ProfileResult['columns'][number]['role'], ColumnRole>> = {
  feature: 'FEATURE',
  target: 'TARGET',
  ignored: 'IGNORED',
  dropped: 'DROPPED',
};

/** What the profile, and the plan once there is one, made of each column of the table. */
export function jobColumns(profile: ProfileResult, plan: PrepareResult | null): JobColumn[] {
  const treatments = new Map(plan?.features.map(({ name, treatment }) => [name, treatment]));
  const dropped = new Map(plan?.dropped.map(({ name, reason }) => [name, reason]));
  const warned = new Map<string, { code: string; message: string }[]>();
  for (const { code, message, columns } of [...profile.warnings, ...(plan?.warnings ?? [])]) {
    for (const name of columns) warned.set(name, [...(warned.get(name) ?? []), { code, message }]);
  }
  return profile.columns.map(({ name, type, role, reason }) => ({
    name,
    type,
    role: dropped.has(name) ? 'DROPPED' : ROLES[role],
    treatment: treatments.get(name) ?? null,
    reason: dropped.get(name) ?? reason,
    warnings: warned.get(name) ?? [],
  }));
}
