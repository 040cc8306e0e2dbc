import type { ApiKey } from '../auth/api-keys.ts';
import { ApiKeyNotFoundError, InvalidOptionsError } from '../domain/errors.ts';
import { builder } from './builder.ts';
import { ApiKeyNotFoundErrorType, InvalidOptionsErrorType, orExpected } from './errors.ts';
import { demand } from './scopes.ts';
import { ScopeEnum } from './viewer.ts';

const ApiKeyType = builder.objectRef<ApiKey>('ApiKey').implement({
  description: 'A way in for a program. Its secret is told once, when it is made.',
  fields: (t) => ({
    id: t.id({ description: 'Names the key: the second part of it.', resolve: ({ id }) => id }),
    name: t.exposeString('name', { description: 'What it is for.' }),
    owner: t.exposeString('owner', { description: 'Whose jobs and datasets it sees and makes.' }),
    scope: t.expose('scope', { type: ScopeEnum, description: 'What it may do.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends; null: not by itself.',
      nullable: true,
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      description: 'Since when it opens nothing; null: it was not revoked.',
      nullable: true,
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'When it was last used, to the minute.',
      nullable: true,
    }),
  }),
});

builder.queryField('apiKeys', (t) =>
  t.field({
    type: [ApiKeyType],
    description: 'All API keys, newest first, the revoked among them. For administrators.',
    complexity: { field: 1, multiplier: 100 },
    resolve: (_root, _args, { viewer, keys }) => {
      demand(viewer, 'ADMIN');
      return keys.list();
    },
  }),
);

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'What the new key is for and what it may do.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is for.' }),
    owner: t.string({ required: true, description: 'Whose jobs and datasets it sees and makes.' }),
    scope: t.field({ type: ScopeEnum, required: true, description: 'What it may do.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it ends; default: not by itself.' }),
  }),
});
const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which key to revoke.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The id of the key.' }) }),
});

const CreateApiKeySuccess = builder
  .objectRef<{ key: ApiKey; token: string }>('CreateApiKeySuccess')
  .implement({
    description: 'The key is made.',
    isTypeOf: (value) => typeof value === 'object' && value !== null && 'token' in value,
    fields: (t) => ({
      key: t.expose('key', { type: ApiKeyType, description: 'The new key.' }),
      token: t.exposeString('token', {
        description:
          'What its holder sends as `authorization: Bearer …`. Keep it: it is told here and never again.',
      }),
    }),
  });
const RevokeApiKeySuccess = builder.objectRef<{ key: ApiKey }>('RevokeApiKeySuccess').implement({
  description: 'The key opens nothing from now on; connections it holds open end within a second.',
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'key' in value,
  fields: (t) => ({ key: t.expose('key', { type: ApiKeyType, description: 'The revoked key.' }) }),
});

const CreateApiKeyResult = builder.unionType('CreateApiKeyResult', {
  description: 'The new key, or why there is none.',
  types: [CreateApiKeySuccess, InvalidOptionsErrorType],
});
const RevokeApiKeyResult = builder.unionType('RevokeApiKeyResult', {
  description: 'The revoked key, or why none was.',
  types: [RevokeApiKeySuccess, ApiKeyNotFoundErrorType],
});

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreateApiKeyResult,
    description: 'Makes an API key. For administrators.',
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'What key.' }) },
    resolve: (_root, { input }, { viewer, keys, logger }) => {
      demand(viewer, 'ADMIN');
      return orExpected([InvalidOptionsError], async () => {
        const made = await keys.create({ ...input, expiresAt: input.expiresAt ?? null });
        logger.info({ apiKey: made.key, by: viewer.owner }, 'an API key was made');
        return made;
      });
    },
  }),
  revokeApiKey: t.field({
    type: RevokeApiKeyResult,
    description: 'Revokes an API key, at once and for good. For administrators.',
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'Which key.' }) },
    resolve: (_root, { input }, { viewer, keys, logger }) => {
      demand(viewer, 'ADMIN');
      return orExpected([ApiKeyNotFoundError], async () => {
        const key = await keys.revoke(input.id);
        logger.info({ apiKey: key, by: viewer.owner }, 'an API key was revoked');
        return { key };
      });
    },
  }),
}));
