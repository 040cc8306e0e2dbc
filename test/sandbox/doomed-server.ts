/**
 * A server that will be killed: starts a process with a child in a session of its own, says so, and waits.
 * Arguments: a folder, the containment, and a mark for the command lines.
 */
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { findPython } from '../../src/sandbox/python-interpreter.ts';

const [folder = '', mode = '', mark = ''] = process.argv.slice(2);
const sandboxes = await createLocalSandboxes({
  dataDir: folder,
  mode: mode === 'contained' ? 'contained' : 'process',
  python: await findPython(undefined),
  memoryBytes: 1024 ** 3,
});
const sandbox = await sandboxes.open('doomed');
const started = await sandbox.start({
  argv: [
    'python',
    '-I',
    '-c',
    'import os, time\nif os.fork() == 0: os.setsid()\nprint("alive", flush=True)\nwhile True: time.sleep(1)',
    mark,
  ],
  limits: {
    wallSeconds: null,
    cpuSeconds: null,
    memoryBytes: 1024 ** 3,
    processes: 16,
    fileBytes: 1024,
    outputBytes: 1024,
  },
  onLine: (_stream, line) => console.log(line),
});
await started.exit;
