/** `npm run dashboard` writes grafana-dashboard.json: the panels are here, one line each; Grafana's form of them is not for people. */
import { writeFileSync } from 'node:fs';

type Unit = 'short' | 's' | 'bytes' | 'percentunit' | 'reqps' | 'currencyUSD';
interface Query {
  expr: string;
  legend: string;
}

const rate = (counter: string, by: string): string => `sum by (${by}) (rate(${counter}[$__rate_interval]))`;
const quantile = (share: number, histogram: string, by = ''): string =>
  `histogram_quantile(${share}, sum by (le${by === '' ? '' : `, ${by}`}) (rate(${histogram}_bucket[$__rate_interval])))`;

const PANELS: readonly { title: string; unit: Unit; queries: readonly Query[] }[] = [
  {
    title: 'Jobs by state',
    unit: 'short',
    queries: [{ expr: 'sproutml_jobs{state=~"queued|running"}', legend: '{{state}}' }],
  },
  {
    title: 'Jobs ended per hour',
    unit: 'short',
    queries: [
      { expr: 'sum by (outcome) (increase(sproutml_job_duration_seconds_count[1h]))', legend: '{{outcome}}' },
    ],
  },
  {
    title: 'Waiting in the queue',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'sproutml_queue_wait_seconds'), legend: 'half' },
      { expr: quantile(0.95, 'sproutml_queue_wait_seconds'), legend: '95%' },
    ],
  },
  {
    title: 'Running time of jobs',
    unit: 's',
    queries: [
      { expr: quantile(0.5, 'sproutml_job_duration_seconds', 'outcome'), legend: '{{outcome}}, half' },
    ],
  },
  { title: 'Queue depth', unit: 'short', queries: [{ expr: 'sproutml_job_queue_depth', legend: 'waiting' }] },
  {
    title: 'Commands stopped at a limit, per hour',
    unit: 'short',
    queries: [{ expr: 'sum by (reason) (increase(sproutml_sandbox_kills_total[1h]))', legend: '{{reason}}' }],
  },
  {
    title: 'Requests per second',
    unit: 'reqps',
    queries: [
      { expr: rate('http_request_duration_seconds_count', 'route, status'), legend: '{{route}} {{status}}' },
    ],
  },
  {
    title: 'GraphQL operations, 95%',
    unit: 's',
    queries: [
      {
        expr: quantile(0.95, 'graphql_operation_duration_seconds', 'type, name'),
        legend: '{{type}} {{name}}',
      },
    ],
  },
  {
    title: 'GraphQL errors per second',
    unit: 'reqps',
    queries: [
      { expr: rate('graphql_operation_duration_seconds_count{outcome="error"}', 'name'), legend: '{{name}}' },
    ],
  },
  {
    title: 'Live connections',
    unit: 'short',
    queries: [
      { expr: 'sproutml_ws_connections', legend: 'WebSockets' },
      { expr: 'sproutml_subscriptions', legend: 'subscriptions' },
    ],
  },
  {
    title: 'Tokens per hour',
    unit: 'short',
    queries: [
      { expr: 'sum by (direction) (increase(sproutml_llm_tokens_total[1h]))', legend: '{{direction}}' },
    ],
  },
  {
    title: 'Language models, dollars per day',
    unit: 'currencyUSD',
    queries: [{ expr: 'increase(sproutml_llm_cost_usd_total[1d])', legend: 'list price' }],
  },
  {
    title: 'Webhook attempts per hour',
    unit: 'short',
    queries: [
      { expr: 'sum by (outcome) (increase(sproutml_webhook_attempts_total[1h]))', legend: '{{outcome}}' },
    ],
  },
  {
    title: 'Free space under DATA_DIR',
    unit: 'bytes',
    queries: [{ expr: 'sproutml_disk_free_bytes', legend: 'free' }],
  },
  {
    title: 'Memory of the server',
    unit: 'bytes',
    queries: [
      { expr: 'process_resident_memory_bytes', legend: 'resident' },
      { expr: 'nodejs_heap_size_used_bytes', legend: 'heap' },
    ],
  },
  {
    title: 'Event loop lag, 99%',
    unit: 's',
    queries: [{ expr: 'nodejs_eventloop_lag_p99_seconds', legend: 'lag' }],
  },
];

const WIDTH = 8;
const HEIGHT = 7;

export function dashboard(): unknown {
  const datasource = { type: 'prometheus', uid: '$datasource' };
  return {
    uid: 'sproutml',
    title: 'SproutML',
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels: PANELS.map(({ title, unit, queries }, index) => ({
      id: index + 1,
      title,
      type: 'timeseries',
      datasource,
      gridPos: { h: HEIGHT, w: WIDTH, x: (index % 3) * WIDTH, y: Math.floor(index / 3) * HEIGHT },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(({ expr, legend }, n) => ({
        refId: String.fromCharCode(65 + n),
        datasource,
        expr,
        legendFormat: legend,
      })),
    })),
  };
}

if (import.meta.main) {
  const path = new URL('grafana-dashboard.json', import.meta.url);
  writeFileSync(path, `${JSON.stringify(dashboard(), null, 2)}\n`);
  console.log(`wrote ${path.pathname}`);
}
