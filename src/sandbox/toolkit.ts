/**
 * The toolkit as the agents call it: one command, a JSON request, progress on the way, a JSON result. How the Python
 * side is kept warm is the adapter's business. The wire is in toolkit/PROTOCOL.md.
 */
export interface Toolkit {
  call(command: string, request: unknown, options: ToolkitCallOptions): Promise<unknown>;
  /** Resolves once a command would begin at once: what is being kept warm is warm, or will not be. Never rejects. */
  ready(): Promise<void>;
  close(): Promise<void>;
  /** Whether a call of this key was made here by the server before, and runs still or was answered. */
  knows?(command: string, key: string): Promise<boolean>;
  /** Takes no more calls, and leaves those that run to whoever takes them up by their key: see `Sandbox.leave`. */
  leave?(): void;
}

export interface ToolkitCallOptions {
  /** Hard wall-clock limit; past it the command's process is killed and the call rejects with STEP_DEADLINE. */
  timeoutMs: number;
  /**
   * Names the call over restarts of the server: where its process outlived the one before, a call of the same name and
   * command is gone on with, or answered, instead of begun again.
   */
  key?: string;
  signal?: AbortSignal;
  onProgress?(fraction: number, message: string): void;
  onLog?(level: 'INFO' | 'WARNING' | 'ERROR', message: string): void;
}
