/** `npm run bench:automl -- FOLDER ...`: the harness (README.md beside this file) in the toolkit's Python environment. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { ensureEnvironment } from '../../src/sandbox/python-environment.ts';

const { TOOLKIT_ENV_DIR, PYTHON } = readConfig(process.env);
const { python } = await ensureEnvironment({
  directory: TOOLKIT_ENV_DIR,
  python: PYTHON,
  onProgress: (line) => console.log(line),
});
// Ctrl-C reaches the harness too, which ends what it runs and says how to go on.
process.on('SIGINT', () => undefined);
const harness = spawn(python, ['-m', 'automl_bench', ...process.argv.slice(2)], {
  env: {
    ...process.env,
    NODE: process.execPath,
    PYTHONPATH: [import.meta.dirname, process.env.PYTHONPATH ?? ''].filter(Boolean).join(delimiter),
    PYTHONUNBUFFERED: '1',
  },
  stdio: 'inherit',
});
const [code] = (await once(harness, 'exit')) as [number | null];
process.exitCode = code ?? 1;
