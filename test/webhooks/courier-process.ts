import { pino } from 'pino';
import { Courier } from '../../src/webhooks/courier.ts';
import { openRig } from '../jobs/rig.ts';

/* A courier in a process of its own, so that it can be killed: `node courier-process.ts DATA_DIR`. */
const rig = await openRig({ dataDir: String(process.argv[2]) });
new Courier({
  store: rig.store,
  logger: pino({ level: 'silent' }),
  privateHosts: ['127.0.0.1'],
  publicId: ({ id }) => id,
}).start();
