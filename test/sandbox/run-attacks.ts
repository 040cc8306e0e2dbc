/**
 * Runs every attack from inside a contained sandbox and prints one JSON line for each: `{name, stoppedBy, blocked, said}`.
 * A program of its own, so that it can run as root and as an ordinary user. Arguments: a folder of its own and, to see
 * that the attacks are real ones, `bare`: then those that do no harm run as trusted code in a plain process. Or `daytona`: in
 * a sandbox of Daytona's stand-in.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createLocalSandboxes } from '../../src/sandbox/local.ts';
import { findPython } from '../../src/sandbox/python-interpreter.ts';
import type { ProcessLimits, Sandbox, SandboxProvider } from '../../src/sandbox/sandbox.ts';
import { openDaytonaRig } from '../daytona/rig.ts';
import { ATTACKS, type Attack, programOf, type Targets } from './attacks.ts';

const LIMITS: ProcessLimits = {
  wallSeconds: 20,
  cpuSeconds: 10,
  memoryBytes: 512 * 1024 ** 2,
  processes: 64,
  fileBytes: 16 * 1024 ** 2,
  outputBytes: 1024 ** 2,
};

const folder = process.argv[2] ?? '';
const bare = process.argv[3] === 'bare';
const rig = process.argv[3] === 'daytona' ? await openDaytonaRig() : null;
await mkdir(folder, { recursive: true });
const secret = process.env.SPROUT_TEST_SECRET ?? '';
const secretFile = join(folder, 'secret.txt');
await writeFile(secretFile, secret);
const abstractSocket = `sprout-test-${process.pid}`;
const tcp = createServer((socket) => socket.end());
const unix = createServer((socket) => socket.end());
await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
await new Promise<void>((resolve) => unix.listen(`\0${abstractSocket}`, resolve));
const address = tcp.address();
const port = address !== null && typeof address === 'object' ? address.port : 0;

const memoryBytes = 4 * 1024 ** 3;
const sandboxes: SandboxProvider =
  (await rig?.connect({ memoryBytes })) ??
  (await createLocalSandboxes({
    dataDir: folder,
    mode: bare ? 'process' : 'contained',
    python: await findPython(undefined),
    memoryBytes,
  }));
const sandbox = await sandboxes.open('attacked');
const targets: Targets = { secret, secretFile, port, abstractSocket };
const attacks = ATTACKS.filter((attack) => !bare || attack.harmless);
const together = attacks.filter((attack) => attack.endsBy === undefined && attack.limits === undefined);
const alone = attacks.filter((attack) => !together.includes(attack)).map((attack) => [attack]);
for (const group of [together, ...alone]) await run(sandbox, group);
await sandbox.close();
await sandboxes.destroy('attacked');
await rig?.remove();
tcp.close();
unix.close();

async function run(sandbox: Sandbox, group: readonly Attack[]): Promise<void> {
  const saidBy = new Map<number, string>();
  const unasked: string[] = [];
  const attacker = await sandbox.start({
    argv: ['python', '-I', '-c', programOf(group)],
    untrusted: !bare,
    limits: { ...LIMITS, ...group[0]?.limits },
    onLine: (_stream, line) => {
      if (line.startsWith('[')) {
        const [index, said] = JSON.parse(line) as [number, string];
        saidBy.set(index, said);
      } else if (unasked.length < 10) unasked.push(line.slice(0, 200));
    },
  });
  attacker.send(JSON.stringify(targets));
  const exit = await attacker.exit;
  group.forEach(({ name, stoppedBy, endsBy }, index) => {
    const said = saidBy.get(index) ?? '';
    const blocked =
      endsBy === undefined
        ? said.startsWith('BLOCKED') && exit.reason === 'exited' && exit.code === 0
        : endsBy(exit) && !said.startsWith('ESCAPED');
    const how = `${said} ${unasked.slice(-2).join(' / ')} [${exit.reason} ${exit.signal ?? exit.code}]`;
    process.stdout.write(`${JSON.stringify({ name, stoppedBy, blocked, said: how })}\n`);
  });
}
