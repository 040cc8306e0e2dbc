import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi, table } from './api.ts';

let api: Api;
beforeAll(async () => {
  api = await openApi({ env: { CORS_ORIGINS: 'https://console.example' } });
});
afterAll(() => api.close());

async function post(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

describe('operations that would cost too much', () => {
  const nested = (depth: number) =>
    `${'{ job(id: "x") { artifacts { nodes { job '.repeat(depth)}{ id }${'}}}}'.repeat(depth)}`;
  const cases: [string, unknown, string][] = [
    [
      '10,000 aliases',
      { query: `{ ${Array.from({ length: 10_000 }, (_, i) => `a${i}: __typename`).join(' ')} }` },
      'token',
    ],
    [
      '60 aliases',
      { query: `{ ${Array.from({ length: 60 }, (_, i) => `a${i}: __typename`).join(' ')} }` },
      'aliases',
    ],
    ['depth 500', { query: `${'{ a '.repeat(500)}${'}'.repeat(500)}` }, 'levels deep'],
    ['depth through fragments', { query: fragments(30) }, 'levels deep'],
    ['5,000 directives', { query: `{ __typename ${'@include(if: true) '.repeat(5_000)} }` }, 'token'],
    ['60 directives', { query: `{ __typename ${'@include(if: true) '.repeat(60)} }` }, 'directives'],
    [
      'a fragment cycle',
      { query: '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }' },
      'itself',
    ],
    [
      '100 rows of 100 rows',
      { query: '{ jobs(first: 100) { nodes { artifacts(first: 100) { nodes { name } } } } }' },
      'costly',
    ],
    ['a batch', Array.from({ length: 100 }, () => ({ query: '{ __typename }' })), 'atching'],
    ['nested jobs', { query: `query ${nested(5)}` }, ''],
  ];
  it.each(cases)('are refused: %s', async (_name, body, reason) => {
    const answer = await post(body);
    expect(JSON.parse(answer.body).errors.length).toBeGreaterThan(0);
    expect(answer.body).toContain(reason);
    expect(answer.body).not.toContain('"nodes"');
  });

  function fragments(depth: number): string {
    const spread = Array.from(
      { length: depth },
      (_, i) =>
        `fragment F${i} on Job { artifacts { nodes { job { ${i + 1 < depth ? `...F${i + 1}` : 'id'} } } } }`,
    );
    return `{ job(id: "x") { ...F0 } } ${spread.join(' ')}`;
  }

  it.each([
    [
      '100 jobs',
      'jobs(first: 100) { nodes { id name status progress lastSequence targetColumn task metric createdAt } }',
    ],
    [
      '1,000 events',
      'job(id: "x") { events(first: 1000) { __typename sequence at stage agent message ... on TrialFinished { trial { id score } } } }',
    ],
    [
      '1,000 trials',
      'job(id: "x") { leaderboard(first: 1000) { id name family agent score foldScores fitSeconds parameters isBaseline isBest } }',
    ],
    [
      '100 files and the whole board',
      'job(id: "x") { leaderboard { id name score } artifacts(first: 100) { nodes { id name kind contentType size sha256 createdAt signedUrl { url expiresAt } } } }',
    ],
  ])('and the longest page of a list is not one of them: %s', async (_name, field) => {
    expect(JSON.parse((await post({ query: `{ ${field} }` })).body).errors).toBeUndefined();
  });

  it('and the introspection query of the tools is not one of them', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    const { body } = await post({
      query: getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true }),
    });
    expect(JSON.parse(body).errors).toBeUndefined();
  });
});

it('refuses a body of 20 MB, stated or not', async () => {
  const query = `{ __typename } #${'x'.repeat(20_000_000)}`;
  expect((await post({ query })).status).toBe(413);
  const chunked = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new Blob([JSON.stringify({ query })]).stream(),
    duplex: 'half',
  } as RequestInit);
  expect(chunked.status).toBe(413);
});

it('refuses a head of 20 kB', async () => {
  expect((await post({ query: '{ __typename }' }, { 'x-long': 'x'.repeat(20_000) })).status).toBe(431);
});

it('takes a small body of unstated length', async () => {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new Blob([JSON.stringify({ query: '{ __typename }' })]).stream(),
    duplex: 'half',
  } as RequestInit);
  expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
});

it('runs no mutation by GET', async () => {
  const query = encodeURIComponent('mutation { deleteJob(input: { jobId: "x" }) { __typename } }');
  expect((await fetch(`${api.url}?query=${query}`)).status).toBe(405);
});

describe('pages of other sites', () => {
  const evil = { origin: 'https://evil.example' };

  it.each([
    ['a form upload', 'multipart/form-data; boundary=b'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['plain text', 'text/plain'],
    ['JSON', 'application/json'],
  ])('can send nothing: %s', async (_name, type) => {
    const { status, headers, body } = await post(
      { query: '{ __typename }' },
      { ...evil, 'content-type': type },
    );
    expect(status).toBe(403);
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(body).toContain('ORIGIN_NOT_ALLOWED');
  });

  it('get no permission to ask, and listed ones do', async () => {
    const ask = async (origin: string) => {
      const { status, headers } = await fetch(api.url, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type',
        },
      });
      return [
        status,
        headers.get('access-control-allow-origin'),
        headers.get('access-control-allow-headers'),
      ];
    };
    expect(await ask('https://evil.example')).toEqual([403, null, null]);
    expect(await ask('https://console.example')).toEqual([204, 'https://console.example', 'content-type']);
    const answer = await post({ query: '{ __typename }' }, { origin: 'https://console.example' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://console.example');
    expect(answer.headers.get('vary')).toContain('origin');
  });

  it('can not load an answer as an image or script', async () => {
    const response = await fetch(`${api.url}?query={__typename}`, {
      headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    });
    expect(response.status).toBe(403);
  });

  it('can not come in under a name of their own that points to this machine', async () => {
    const status = await new Promise((resolve, reject) => {
      request(
        {
          port: api.port,
          host: '127.0.0.1',
          path: '/graphql?query={__typename}',
          headers: { host: 'rebound.example' },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      )
        .on('error', reject)
        .end();
    });
    expect(status).toBe(421);
  });

  it('and our own pages can', async () => {
    expect((await post({ query: '{ __typename }' }, { origin: api.origin })).status).toBe(200);
    const own = `http://localhost:${api.port}`;
    const response = await fetch(`${own}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: own },
      body: '{"query":"{ __typename }"}',
    });
    expect(response.status).toBe(200);
  });
});

it('hides what went wrong inside behind an id that finds it in the log', async () => {
  const { jobs } = api.rig;
  const job = jobs.job.bind(jobs);
  jobs.job = async () => {
    throw new Error('SELECT * FROM secrets');
  };
  const { body } = await post({ query: '{ job(id: "00000000-0000-4000-8000-000000000000") { id } }' });
  jobs.job = job;
  const [error] = JSON.parse(body).errors;
  expect(error.extensions).toEqual({
    code: 'INTERNAL_ERROR',
    id: expect.any(String),
    hint: expect.any(String),
  });
  expect(body).not.toMatch(/secrets|node_modules|at file|\.ts:/);
  const line = api.logged.find((text) => text.includes(error.extensions.id));
  expect(line).toContain('SELECT * FROM secrets');
});

it('keeps what signs a link out of the log', async () => {
  await fetch(`${api.origin}/artifacts/x/y?expires=1&signature=not-for-the-log`);
  expect(api.logged.join('')).toContain('/artifacts/x/y');
  expect(api.logged.join('')).not.toContain('not-for-the-log');
});

it('carries the id of a request through to the log, and no header of the caller beyond', async () => {
  const response = await fetch(api.url, { method: 'POST', headers: { 'x-request-id': 'mine-1' }, body: '' });
  expect(response.headers.get('x-request-id')).toBe('mine-1');
  await expect.poll(() => api.logged.join('')).toContain('"requestId":"mine-1"');
  const forged = await fetch(`${api.origin}/livez`, { headers: { 'x-request-id': '{"a":1}' } });
  expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
});

it('shows a header full of markup as text', async () => {
  const column = '<script>alert(1)</script>';
  const csv = `${column},y\n${table(12)
    .split('\n')
    .slice(1, 12)
    .map((_, i) => `${i},${i % 2}`)
    .join('\n')}\n`;
  const { job } = await api.start(csv, { targetColumn: 'y' });
  expect(job?.dataset.columns[0]?.name).toBe(column);
});

describe('variables that do not fit', () => {
  const start = 'mutation ($input: StartTrainingInput!) { startTraining(input: $input) { __typename } }';
  it.each([
    ['a fraction for a whole number', { timeBudgetSeconds: 1.5 }],
    ['a number beyond 32 bits', { timeBudgetSeconds: 2 ** 40 }],
    ['an unknown enum value', { task: 'GUESS' }],
    ['text for a file', { file: 'penguins.csv' }],
    ['an unknown field', { targetColum: 'y' }],
  ])('are refused with a code: %s', async (_name, wrong) => {
    const { body } = await post({
      query: start,
      variables: { input: { datasetId: 'x', targetColumn: 'y', ...wrong } },
    });
    expect(JSON.parse(body).errors).toMatchObject([
      {
        message: expect.stringContaining(Object.keys(wrong)[0] ?? ''),
        extensions: { code: 'BAD_USER_INPUT' },
      },
    ]);
  });
});
