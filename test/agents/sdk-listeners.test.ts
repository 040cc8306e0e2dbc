import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('leaves signals and unhandled rejections of the process to the server, not to the SDK', () => {
  const team = fileURLToPath(new URL('../../src/agents/team.ts', import.meta.url));
  const program = `
    process.on('SIGTERM', function ours() {});
    await import(${JSON.stringify(team)});
    const events = ['SIGINT', 'SIGTERM', 'beforeExit', 'unhandledRejection'];
    console.log(JSON.stringify(events.map((event) => process.listeners(event).map(({ name }) => name))));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual([[], ['ours'], [], []]);
});
