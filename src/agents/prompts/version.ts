/**
 * Raise with every change to a prompt or to a tool's description: answers of a language model are journaled under it, and an
 * answer to other words is none to these.
 */
export const PROMPTS_VERSION = 1;
