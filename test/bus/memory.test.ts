import { createMemoryBus } from '../../src/bus/memory.ts';
import { busConformance } from '../conformance/bus.ts';

busConformance('memory', async () => createMemoryBus());
