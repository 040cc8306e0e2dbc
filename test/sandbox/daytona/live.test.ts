import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config.ts';
import { createDaytonaSandboxes } from '../../../src/sandbox/daytona.ts';
import { startPython } from '../../daytona/rig.ts';
import { temporaryFolder } from '../../server-process.ts';

const { DAYTONA_API_KEY: key, ...config } = readConfig(process.env);

/** `DAYTONA_API_KEY=… npm run test:daytona-live`: costs a cent or two, and on the first run the minutes a snapshot takes. */
describe.skipIf(key === undefined || process.env.DAYTONA_LIVE !== '1')('the real Daytona', () => {
  it(
    'makes a sandbox, runs what is asked, passes files both ways and leaves nothing',
    async () => {
      const folder = await temporaryFolder('daytona-live');
      const sandboxes = await createDaytonaSandboxes({
        apiKey: key ?? '',
        apiUrl: config.DAYTONA_API_URL,
        target: config.DAYTONA_TARGET ?? null,
        dataDir: folder.path,
        size: {
          cpu: config.DAYTONA_CPU,
          memoryGib: config.DAYTONA_MEMORY_GIB,
          diskGib: config.DAYTONA_DISK_GIB,
        },
        maxParallel: 1,
        keepMinutes: 0,
        memoryBytes: 1024 ** 3,
        logger: console,
      });
      try {
        const sandbox = await sandboxes.open('live');
        const content = randomBytes(5 * 1024 ** 2);
        await sandbox.put('input/data.bin', Readable.from([content]));
        const { process, lines } = await startPython(
          sandbox,
          'import shutil, sproutml_toolkit, lightgbm; shutil.copy("input/data.bin", "out/data.bin"); print("copied")',
        );
        expect(await process.exit).toEqual({ reason: 'exited', code: 0, signal: null });
        expect(lines).toEqual(['copied']);
        expect((await buffer((await sandbox.get('out/data.bin')).stream)).equals(content)).toBe(true);
        // What holds agent-written code there is worth knowing, and shown.
        console.log(`containment inside: ${sandbox.containment}`);
        await sandbox.close();
      } finally {
        await sandboxes.destroy('live');
        expect(await sandboxes.billed('live')).toEqual({ cpuSeconds: 0, memoryGibSeconds: 0 });
        await sandboxes.close();
        await folder.remove();
      }
    },
    45 * 60_000,
  );
});
