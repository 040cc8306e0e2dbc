import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json as readJson } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ApiKeyList,
  CreateSandbox,
  CreateSnapshot,
  CreateVolume,
  ListSandboxesResponse,
  OrganizationUsageOverview,
} from '@daytona/api-client';
import type { PythonEnvironment } from '../../src/sandbox/python-interpreter.ts';
import { Cloud, Refusal } from './cloud.ts';
import { Events } from './events.ts';
import { type Fault, Faults } from './faults.ts';
import { answerToolbox, json } from './toolbox.ts';

export const KEY = 'dtn_stand_in';

/**
 * Daytona's wire on one port of this machine: its API, the toolbox of each sandbox, and state events. Commands run as
 * processes of this machine, so this is for tests and nothing else. Written from the OpenAPI documents and the SDK's calls.
 */
export class StandIn {
  readonly cloud: Cloud;
  readonly faults: Faults;
  /** Keys that are accepted. */
  readonly keys = new Set([KEY]);
  /** `GET /api/sandbox/…`, in the order they came. */
  readonly requests: string[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #events = new Events((token) => this.keys.has(token));

  constructor(parts: { root: string; python: PythonEnvironment; random?: () => number }) {
    this.faults = new Faults(parts.random);
    this.cloud = new Cloud({
      ...parts,
      toolboxUrl: () => `${this.#origin}/toolbox`,
      onState: (sandbox, old) => this.#events.stateChanged(sandbox, old),
    });
  }

  async listen(): Promise<this> {
    this.#server.on('upgrade', (request, socket, head) => {
      if (request.url?.startsWith('/api/socket.io/')) this.#events.upgrade(request, socket, head);
      else socket.destroy();
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `${this.#origin}/api`;
  }

  get #origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#events.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.cloud.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that went away is its own business.
    response.on('error', () => undefined);
    const url = new URL(request.url ?? '/', this.#origin);
    try {
      const { name, body } = await describe(request, url.pathname);
      this.requests.push(name);
      const fault = this.faults.take(name);
      if (fault !== null && (await this.#spoil(fault, request, response))) return;
      const authorized = this.keys.has((request.headers.authorization ?? '').replace(/^Bearer /, ''));
      if (!authorized) throw new Refusal(401, 'Unauthorized');
      if (url.pathname.startsWith('/toolbox/')) await this.#toolbox(url.pathname, request, response, body);
      else json(response, 200, await this.#api(request, url, body));
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500;
      const message = error instanceof Error ? error.message : String(error);
      if (response.headersSent) response.destroy();
      else json(response, status, { path: url.pathname, timestamp: new Date(), statusCode: status, message });
    }
  }

  /** True when there is nothing more to do. */
  async #spoil(fault: Fault, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    switch (fault.kind) {
      case 'answer': {
        const message = fault.message ?? `Made to fail with ${fault.status}`;
        if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
        if (!fault.html) json(response, fault.status, { statusCode: fault.status, message });
        else {
          response.writeHead(fault.status, { 'content-type': 'text/html' });
          response.end(
            `<html><head><style>b{}</style></head><body><h1>${fault.status} Bad Gateway</h1></body></html>`,
          );
        }
        request.resume();
        return true;
      }
      case 'cut':
        request.socket.destroy();
        return true;
      case 'lose-answer': {
        const { socket } = request;
        response.write = () => true;
        response.writeHead = () => response;
        response.end = () => {
          socket.destroy();
          return response;
        };
        return false;
      }
      case 'cut-body': {
        const { socket } = request;
        const write = response.write.bind(response);
        response.write = ((chunk: string | Buffer) => {
          const bytes = Buffer.from(chunk);
          write(bytes.subarray(0, bytes.length / 2), () => socket.destroy());
          return true;
        }) as typeof response.write;
        response.end = ((chunk: string | Buffer = '') => {
          response.write(chunk);
          return response;
        }) as typeof response.end;
        return false;
      }
      case 'delay':
        await sleep(fault.ms);
        return false;
    }
  }

  async #toolbox(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    body: () => Promise<unknown>,
  ): Promise<void> {
    const [, , id = '', ...rest] = path.split('/');
    const held = this.cloud.find(id);
    if (held.dto.state !== 'started') {
      throw new Refusal(400, 'bad request: no IP address found. Is the Sandbox started?');
    }
    held.lastActivity = this.cloud.now();
    await answerToolbox(held, `/${rest.join('/')}`, request, response, body);
  }

  async #api(request: IncomingMessage, url: URL, body: () => Promise<unknown>): Promise<unknown> {
    const { cloud } = this;
    const [, , resource = '', id = '', action = '', argument = ''] = url.pathname
      .split('/')
      .map(decodeURIComponent);
    switch (`${request.method} ${resource}${id && '/:id'}${action && `/${action}`}`) {
      case 'POST sandbox':
        return cloud.create((await body()) as CreateSandbox);
      case 'GET sandbox': {
        const wanted = Object.entries(
          JSON.parse(url.searchParams.get('labels') ?? '{}') as Record<string, string>,
        );
        const all = [...cloud.sandboxes.values()].map(({ dto }) => dto);
        const items = all.filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
        return { items, nextCursor: null } as unknown as ListSandboxesResponse;
      }
      case 'GET sandbox/:id':
        return cloud.find(id).dto;
      case 'DELETE sandbox/:id': {
        const held = cloud.find(id);
        await cloud.delete(held);
        return held.dto;
      }
      case 'POST sandbox/:id/start':
        cloud.start(cloud.find(id));
        return cloud.find(id).dto;
      case 'POST sandbox/:id/stop':
        await cloud.stop(cloud.find(id));
        return cloud.find(id).dto;
      case 'POST sandbox/:id/last-activity':
        cloud.find(id).lastActivity = cloud.now();
        return {};
      case 'POST sandbox/:id/autodelete':
        cloud.find(id).dto.autoDeleteInterval = Number(argument);
        return cloud.find(id).dto;
      case 'PUT sandbox/:id/labels':
        Object.assign(cloud.find(id).dto, (await body()) as { labels: Record<string, string> });
        return cloud.find(id).dto;
      case 'GET snapshots/:id': {
        const found = [...cloud.snapshots.values()].find(
          (snapshot) => snapshot.id === id || snapshot.name === id,
        );
        if (found === undefined) throw new Refusal(404, `Snapshot ${id} not found`);
        return found;
      }
      case 'POST snapshots':
        return cloud.createSnapshot((await body()) as CreateSnapshot);
      case 'POST snapshots/:id/activate': {
        const snapshot = cloud.snapshots.get(id);
        if (snapshot === undefined) throw new Refusal(404, `Snapshot ${id} not found`);
        snapshot.state = 'active';
        return snapshot;
      }
      case 'DELETE snapshots/:id':
        cloud.snapshots.delete(id);
        return {};
      case 'GET volumes':
        return [...cloud.volumes.values()];
      case 'POST volumes':
        return cloud.createVolume(((await body()) as CreateVolume).name);
      case 'GET api-keys/:id':
        return {
          name: 'stand-in',
          permissions: [
            'write:sandboxes',
            'delete:sandboxes',
            'write:snapshots',
            'delete:snapshots',
            'write:volumes',
            'delete:volumes',
          ],
          organizationId: 'stand-in',
        } as unknown as ApiKeyList;
      case 'GET organizations/:id/usage': {
        const held = [...cloud.sandboxes.values()].map(({ dto }) => dto);
        const used = (what: 'cpu' | 'memory' | 'disk') => held.reduce((sum, dto) => sum + dto[what], 0);
        return {
          regionUsage: [
            {
              regionId: 'us',
              totalCpuQuota: cloud.quota.cpu,
              currentCpuUsage: used('cpu'),
              totalMemoryQuota: cloud.quota.memory,
              currentMemoryUsage: used('memory'),
              totalDiskQuota: cloud.quota.disk,
              currentDiskUsage: used('disk'),
            },
          ],
          totalSnapshotQuota: cloud.quota.snapshots,
          currentSnapshotUsage: cloud.snapshots.size,
        } as unknown as OrganizationUsageOverview;
      }
      case 'DELETE volumes/:id':
        await cloud.deleteVolume(id);
        return {};
      default:
    }
    if (request.method === 'GET' && resource === 'volumes' && id === 'by-name') {
      const volume = [...cloud.volumes.values()].find(({ name }) => name === action);
      if (volume === undefined) throw new Refusal(404, `Volume with name ${action} not found`);
      return volume;
    }
    throw new Refusal(404, `The stand-in has no ${request.method} ${url.pathname}`);
  }
}

/** What a request is called in scripts of faults, and its JSON body, which can be asked for again. */
async function describe(
  request: IncomingMessage,
  path: string,
): Promise<{ name: string; body: () => Promise<unknown> }> {
  const name = `${request.method} ${path}`;
  if (!/json/.test(request.headers['content-type'] ?? '')) return { name, body: async () => ({}) };
  const read = (await readJson(request)) as { command?: string };
  const program = /inside\/(\w+)\.py (\w+)/.exec(read.command ?? '');
  return { name: program ? `${name} ${program[1]} ${program[2]}` : name, body: async () => read };
}
