import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { GRAPHQL_PATH } from './yoga.ts';

/**
 * Tabs the page opens with, in this order, some with variables beside them: never the first, whose variables GraphiQL
 * forgets to show.
 */
const TABS = [
  { name: 'upload', hasVariables: false },
  { name: 'watch', hasVariables: true },
  { name: 'result', hasVariables: true },
  { name: 'artifacts', hasVariables: true },
] as const;
const OPERATIONS = new URL('../../examples/operations/', import.meta.url);

interface Page {
  compressed: Buffer;
  etag: string;
  policy: string;
}

/** A browser that navigates asks for HTML; a GraphQL client does not. */
export const wantsPage = (request: IncomingMessage): boolean =>
  (request.method === 'GET' || request.method === 'HEAD') &&
  request.headers.accept?.includes('text/html') === true;

/**
 * GraphiQL with everything in it (no CDN, works offline): 9 MB, so it is made and compressed once, when first asked for,
 * and answered with 304 from then on.
 */
export function createGraphiQLPage(options: {
  /** With SSE the headers typed into the page go with subscriptions, too; over WebSocket they do not. */
  subscriptions: 'WS' | 'SSE';
}): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let page: Promise<Page> | undefined;
  return async (request, response) => {
    page ??= renderPage(options.subscriptions);
    const { compressed, etag, policy } = await page;
    response.setHeader('etag', etag);
    response.setHeader('cache-control', 'no-cache');
    response.setHeader('content-security-policy', policy);
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return;
    }
    const acceptsGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const body = acceptsGzip ? compressed : await promisify(gunzip)(compressed);
    if (acceptsGzip) response.setHeader('content-encoding', 'gzip');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

async function renderPage(subscriptionsProtocol: 'WS' | 'SSE'): Promise<Page> {
  // Nine megabytes of strings that a server without visitors never needs.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const defaultTabs = await Promise.all(TABS.map(readTab));
  const page = renderGraphiQL({
    title: 'SproutML',
    endpoint: GRAPHQL_PATH,
    subscriptionsProtocol,
    defaultTabs,
    inputValueDeprecation: true,
    schemaDescription: true,
  });
  const html = fillWindow(page);
  return {
    compressed: await promisify(gzip)(html, { level: 9 }),
    etag: `"${createHash('sha256').update(html).digest('base64url')}"`,
    policy: pagePolicy(html),
  };
}

async function readTab({
  name,
  hasVariables,
}: (typeof TABS)[number]): Promise<{ query: string; variables: string | null }> {
  const read = (extension: string) => readFile(new URL(`${name}.${extension}`, OPERATIONS), 'utf8');
  return { query: await read('graphql'), variables: hasVariables ? await read('json') : null };
}

/** The page is made for a body without margins and then forgets to ask for one. */
const fillWindow = (html: string): string =>
  html.replace(
    '</head>',
    '<style>html,body,#root{height:100%;margin:0;overflow:hidden}.graphiql-container{height:100%!important}</style></head>',
  );

/** Lets this page's own script run and no other, and talk to this server alone. */
function pagePolicy(html: string): string {
  const start = html.indexOf('<script>') + '<script>'.length;
  const script = html.slice(start, html.lastIndexOf('</script>'));
  const hash = createHash('sha256').update(script).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}' blob:`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'img-src data:',
    'font-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
