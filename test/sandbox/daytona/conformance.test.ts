import { afterAll } from 'vitest';
import { sandboxConformance } from '../../conformance/sandbox.ts';
import { openDaytonaRig } from '../../daytona/rig.ts';

const rig = await openDaytonaRig();
afterAll(() => rig.remove());

sandboxConformance('Daytona', () => rig.connect());
