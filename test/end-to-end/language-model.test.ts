import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asPlaybook } from '../openai/as-playbook.ts';
import { KEY, type Script, type ScriptedServer, startScriptedServer } from '../openai/scripted-server.ts';
import { type ServerProcess, startServerProcess, temporaryFolder } from '../server-process.ts';
import { ApiUser } from './client.ts';
import { binaryTable } from './tables.ts';

const USAGE = `query ($id: ID!) { job(id: $id) { mind maxCostUsd usage { modelCalls inputTokens cachedInputTokens outputTokens
  estimatedCostUsd agents { agent modelCalls inputTokens estimatedCostUsd } } } health { mind } }`;
interface Usage {
  modelCalls: number;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  estimatedCostUsd: number;
  agents: { agent: string; modelCalls: number; inputTokens: number; estimatedCostUsd: number }[];
}

describe('a server with a language model', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let model: ScriptedServer;
  let server: ServerProcess;
  const start = async (script: Script, environment: Record<string, string> = {}): Promise<ApiUser> => {
    model = await startScriptedServer(script);
    server = await startServerProcess({
      dataDir: join(folder.path, 'data'),
      environment: {
        OPENAI_API_KEY: KEY,
        OPENAI_BASE_URL: model.url,
        OPENAI_MODEL: 'scripted-model',
        OPENAI_PRICES: 'scripted-model=1/0.1/10',
        LOG_LEVEL: 'trace',
        ...environment,
      },
    });
    return new ApiUser(server.url);
  };
  beforeEach(async () => {
    folder = await temporaryFolder('model');
  });
  afterEach(async () => {
    await server.kill();
    await model.close();
    await folder.remove();
  });

  it('puts it into the seats, counts what it uses by agent, and leaves its key nowhere', {
    timeout: 200_000,
  }, async () => {
    const user = await start((seen) => {
      if (seen.index === 2) return { text: `Your key: ${KEY}` };
      if (seen.index === 5) return { status: 500, error: { message: `Bearer ${KEY}` } };
      return asPlaybook(seen);
    });
    const id = await user.startJob(binaryTable(400), {
      targetColumn: 'label',
      timeBudgetSeconds: 60,
      maxTrials: 3,
      maxCostUsd: 0.5,
    });
    const updates = await user.untilEnded(id);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', failure: null });
    const { job, health } = await user.query<{
      job: { mind: string; maxCostUsd: number; usage: Usage };
      health: { mind: string };
    }>(USAGE, { id });
    expect([job.mind, health.mind, job.maxCostUsd]).toEqual(['LANGUAGE_MODEL', 'LANGUAGE_MODEL', 0.5]);
    const { usage } = job;
    expect(usage.modelCalls).toBe(model.answered.length);
    expect(usage.inputTokens).toBe(usage.modelCalls * 100);
    expect(usage.estimatedCostUsd).toBeCloseTo((usage.modelCalls * 164) / 1e6, 9);
    expect(usage.agents.length).toBeGreaterThan(2);
    const sum = usage.agents.reduce((total, { modelCalls }) => total + modelCalls, 0);
    expect(sum).toBe(usage.modelCalls);

    await server.terminate();
    expect(server.log()).toContain('every model is there');
    const left = [server.log(), ...(await contentsOf(server.dataDir))];
    expect(left.length).toBeGreaterThan(5);
    for (const text of left) expect(text.includes(KEY)).toBe(false);
  });

  it('with a wrong key says so at boot and in the job, once each, and the playbook does the work', {
    timeout: 200_000,
  }, async () => {
    const wrong = 'sk-wrong-0123456789-wrong';
    const user = await start([], { OPENAI_API_KEY: wrong });
    const id = await user.startJob(binaryTable(300), {
      targetColumn: 'label',
      timeBudgetSeconds: 60,
      maxTrials: 2,
    });
    const updates = await user.untilEnded(id);
    expect(updates.at(-1)?.job).toMatchObject({ status: 'SUCCEEDED', failure: null });
    const told = updates.flatMap(({ event }) =>
      event?.__typename === 'FallbackUsed' ? [event.message] : [],
    );
    expect(told).toEqual([expect.stringContaining('the key was refused; check OPENAI_API_KEY')]);
    await server.terminate();
    expect(server.log().match(/the key was refused/g)).toHaveLength(1);
    expect([server.log(), ...told, ...(await contentsOf(server.dataDir))].join()).not.toContain(wrong);
  });
});

/** Every file below, as text. */
async function contentsOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')));
}
