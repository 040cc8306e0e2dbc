import type { ApiKeyId, OwnerId } from './ids.ts';

/** What a caller may do; each scope includes those before it. */
export const SCOPES = ['READ', 'TRAIN', 'ADMIN'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks, as found out once at the door: by token, by API key, or because nobody has to say. */
export interface Viewer {
  /** Whose datasets and jobs they see, and whose they make. */
  owner: OwnerId;
  /** READ: look. TRAIN: also upload, start, cancel and delete. ADMIN: also API keys, and everybody's things. */
  scope: Scope;
  /** From then on they have to prove again who they are. */
  expiresAt: Date | null;
  /** The API key they came with. */
  keyId: ApiKeyId | null;
}

/** Owns what is made where nobody has to say who they are, and all that was made before there were owners. */
export const LOCAL_OWNER = 'local' as OwnerId;

/** Whoever asks where there is no authentication: the person at this machine. */
export const LOCAL_VIEWER: Viewer = { owner: LOCAL_OWNER, scope: 'ADMIN', expiresAt: null, keyId: null };

export const isAllowed = ({ scope }: Pick<Viewer, 'scope'>, wanted: Scope): boolean =>
  SCOPES.indexOf(scope) >= SCOPES.indexOf(wanted);
