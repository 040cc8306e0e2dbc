/** `npm run env:example` writes .env.example: every variable, what it means, and what it is when nobody says. */
import { writeFileSync } from 'node:fs';
import { describeConfig } from '../src/config.ts';

export function envExample(): string {
  const head = [
    '# Every variable of SproutML. Those that are commented out are as they are here, or have no value, until they are set.',
    '# Written by `npm run env:example`. Keep a filled-in copy to yourself: it may hold secrets.',
  ];
  const variables = describeConfig().map(
    ({ name, default: preset, description }) => `# ${description}\n# ${name}=${preset}`,
  );
  return `${[head.join('\n'), ...variables].join('\n\n')}\n`;
}

if (import.meta.main) {
  const path = new URL('.env.example', import.meta.url);
  writeFileSync(path, envExample());
  console.log(`wrote ${path.pathname}`);
}
