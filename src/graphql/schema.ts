import { builder } from './builder.ts';
import './scalars.ts';
import './enums.ts';
import './errors.ts';
import './health.ts';
import './dataset.ts';
import './trial.ts';
import './training-result.ts';
import './event.ts';
import './artifact.ts';
import './job.ts';
import './job-updates.ts';
import './training.ts';
import './job-control.ts';
import './viewer.ts';
import './api-key.ts';
import { guardMutations } from './scopes.ts';

/** The whole API. `npm run schema` writes it to schema.graphql. */
export const schema = guardMutations(builder.toSchema({ sortSchema: false }));
