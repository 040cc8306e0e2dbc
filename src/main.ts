#!/usr/bin/env node
// The first file Node reads, in syntax that older releases understand: it must be able to say that they are too old.
// Everything else is loaded after the check, because newer syntax in a static import would fail before it.
const OLDEST_MAJOR = 26;
const major = Number(process.versions.node.split('.')[0]);

if (major < OLDEST_MAJOR) {
  process.stderr.write(
    'NODE_TOO_OLD: SproutML needs Node ' +
      OLDEST_MAJOR +
      ' or newer; this is ' +
      process.version +
      ' (' +
      process.execPath +
      ').\n' +
      '  -> In a clone, `npm ci` brings the right one: start commands with `npm run`, as in `npm run demo`.\n',
  );
  process.exit(2);
} else {
  import('./cli/program.ts').then(({ runCommandLine }) => runCommandLine(process.argv));
}

export {};
