import { createLogUpdate } from 'log-update';
import type { Config } from '../config.ts';
import { ensureEnvironment, inspectEnvironment } from '../sandbox/python-environment.ts';
import type { PythonEnvironment } from '../sandbox/python-interpreter.ts';
import { clock, cut, withoutControls } from './terminal-text.ts';

/**
 * The toolkit's environment, built when it is not there. On a terminal that shows as one moving line with the time it has
 * taken, otherwise as a line for each thing the installer says; when there is nothing to build, as nothing.
 */
export async function prepareEnvironment(
  config: Pick<Config, 'PYTHON' | 'TOOLKIT_ENV_DIR'>,
  out: NodeJS.WriteStream,
  { dev = false }: { dev?: boolean } = {},
): Promise<PythonEnvironment> {
  const options = { directory: config.TOOLKIT_ENV_DIR, python: config.PYTHON, dev };
  const state = await inspectEnvironment(options);
  if (state.state === 'ready') return state.environment;
  out.write('Making the Python environment that jobs run in. This happens once and takes about a minute.\n');
  if (!out.isTTY) {
    return ensureEnvironment({ ...options, onProgress: (line) => out.write(`  ${line}\n`) });
  }

  const started = performance.now();
  const screen = createLogUpdate(out);
  let latest = '';
  const draw = () => {
    const elapsed = clock((performance.now() - started) / 1000);
    screen(cut(`  ${elapsed}  ${withoutControls(latest)}`, out.columns - 1));
  };
  const timer = setInterval(draw, 200);
  try {
    return await ensureEnvironment({
      ...options,
      onProgress: (line) => {
        latest = line.trim();
      },
    });
  } finally {
    clearInterval(timer);
    draw();
    screen.done();
  }
}
