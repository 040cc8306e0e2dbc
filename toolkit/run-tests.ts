/** `npm run test:python`: the toolkit's own tests, in the environment that jobs run in plus what tests need. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readConfig } from '../src/config.ts';
import { ensureEnvironment } from '../src/sandbox/python-environment.ts';

const { TOOLKIT_ENV_DIR, PYTHON } = readConfig(process.env);
const { python } = await ensureEnvironment({
  directory: TOOLKIT_ENV_DIR,
  python: PYTHON,
  dev: true,
  onProgress: (line) => console.log(line),
});
const tests = spawn(python, ['-m', 'pytest', '-q', ...process.argv.slice(2)], {
  cwd: import.meta.dirname,
  stdio: 'inherit',
});
const [code] = (await once(tests, 'exit')) as [number | null];
process.exitCode = code ?? 1;
