import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { envExample } from '../../deploy/env-example.ts';
import { dashboard } from '../../deploy/grafana-dashboard.ts';
import { describeConfig } from '../../src/config.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { temporaryFolder } from '../server-process.ts';

const PROJECT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(PROJECT, path), 'utf8');
const run = promisify(execFile);
const has = (program: string) =>
  (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));

const DOCKERFILE = read('deploy/Dockerfile');
const VARIABLES = new Set(describeConfig().map(({ name }) => name));
/** Of the environment, but not ours. AUTH_MODE: refused by no release, and obeyed by those that have authentication. */
const OTHERS = new Set(['NODE_ENV', 'AUTH_MODE']);
const unknown = (names: Iterable<string>) =>
  [...names].filter((name) => !VARIABLES.has(name) && !OTHERS.has(name));

describe('.env.example', () => {
  it('has every variable with its meaning and default: run `npm run env:example` after a change', () => {
    expect(read('deploy/.env.example')).toBe(envExample());
  });

  it('changes nothing when it is used as it is', () => {
    const set = envExample()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(set).toEqual([]);
  });
});

describe('the Dockerfile', () => {
  it('has no problem that a linter finds', () => {
    expect(validate(DOCKERFILE)).toEqual([]);
  });

  it.runIf(has('hadolint'))('has none that hadolint finds', async () => {
    await run('hadolint', [join(PROJECT, 'deploy/Dockerfile')]);
  });

  it('runs the Node that the tests ran on, as no root, under tini', () => {
    const { devDependencies } = JSON.parse(read('package.json'));
    expect(DOCKERFILE).toContain(`ARG BASE=node:${devDependencies.node}-`);
    const users = [...DOCKERFILE.matchAll(/^USER (.+)$/gm)].map(([, user]) => user);
    expect(users).toEqual(['1000:1000']);
    expect(DOCKERFILE).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini", "--", "node"/m);
    expect(DOCKERFILE).toMatch(/^HEALTHCHECK /m);
  });

  it('copies only what is there and what its ignore file lets through', () => {
    const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) =>
      String(paths).split(' '),
    );
    expect(copied.length).toBeGreaterThan(4);
    const allowed = read('deploy/Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const path of copied) {
      expect({ path, there: existsSync(join(PROJECT, path)) }).toEqual({ path, there: true });
      expect(allowed).toContain(path);
    }
  });

  it('sets only variables that there are', () => {
    const set = [...DOCKERFILE.matchAll(/^(?:ENV| {4}) ?([A-Z_]+)=/gm)].map(([, name]) => String(name));
    expect(set.length).toBeGreaterThan(5);
    expect(unknown(set)).toEqual([]);
  });
});

describe('the compose file', () => {
  const { services } = parse(read('deploy/compose.yaml'));

  it('starts one container, closed to other machines, with no privilege and a root it cannot write to', () => {
    expect(Object.keys(services)).toEqual(['sproutml']);
    const { sproutml } = services;
    expect(sproutml).toMatchObject({ read_only: true, cap_drop: ['ALL'], build: { context: '..' } });
    expect(sproutml.privileged).toBeUndefined();
    for (const port of sproutml.ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(unknown(Object.keys(sproutml.environment))).toEqual([]);
  });
});

describe('the systemd unit', () => {
  const unit = read('deploy/sproutml.service');

  it('sets only variables that there are', () => {
    const set = [...unit.matchAll(/^Environment=([A-Z_]+)=/gm)].map(([, name]) => String(name));
    expect(set.length).toBeGreaterThan(3);
    expect(unknown(set)).toEqual([]);
  });

  it.runIf(has('systemd-analyze'))('is one that systemd takes', async () => {
    const folder = await temporaryFolder('unit');
    try {
      const file = join(folder.path, 'sproutml.service');
      // Where it is to be installed there is nothing yet.
      await writeFile(file, unit.replace('/opt/sproutml/node_modules/.bin/node', process.execPath));
      const { stderr } = await run('systemd-analyze', ['verify', '--man=no', file]);
      expect(stderr).not.toContain('sproutml.service');
    } finally {
      await folder.remove();
    }
  });
});

describe('dashboard and alerts', () => {
  it('are the ones that are made here: run `npm run dashboard` after a change', () => {
    expect(JSON.parse(read('deploy/grafana-dashboard.json'))).toEqual(dashboard());
  });

  it('ask only for metrics that there are', async () => {
    const metrics = new Metrics();
    metrics.collectNodeDefaults();
    const { text } = await metrics.exposition();
    const exposed = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => String(name)));
    // What the composition root and the HTTP server look up at each scrape.
    const lookedUp = [
      ...`${read('src/app.ts')}${read('src/http/server.ts')}`.matchAll(/gauges?\(\s*'(\w+)'/g),
    ];
    for (const [, name] of lookedUp) exposed.add(String(name));
    expect(exposed.size).toBeGreaterThan(20);

    const { panels } = dashboard() as { panels: { targets: { expr: string }[] }[] };
    const { groups } = parse(read('deploy/alerts.yaml')) as { groups: { rules: { expr: string }[] }[] };
    const expressions = [
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
    ];
    const asked = expressions.flatMap(
      (expr) => expr.match(/\b(?:sproutml|http|graphql|nodejs|process)_\w+/g) ?? [],
    );
    expect(asked.length).toBeGreaterThan(20);
    const missing = asked.filter((name) => !exposed.has(name.replace(/_(count|sum|bucket)$/, '')));
    expect(missing).toEqual([]);
  });
});
