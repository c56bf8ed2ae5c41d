// Errors say whose fault it is, and there are few of them. Drops of frames are counters with reasons, never exceptions.
//
//   PeerError    bad bytes or a bad request from the other end of a connection
//   ConfigError  the user's: a value in the database, on a command line or in a file
//   KernelError  a system call said no
//   Error        our own mistake

/** A peer sent bytes or a request that cannot be served; `code` is the protocol's own name for the fault. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The user asked for something that cannot be had; the message names the fault and the remedy, without a prefix. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError';
}

/** A system call failed; `errno` is positive, `call` the name of the call. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly call: string;
  readonly errno: number;
  readonly detail: string;
  constructor(call: string, errno: number, text: string, detail = '') {
    super(`${call}: ${text}${detail === '' ? '' : ` (${detail})`}`);
    this.call = call;
    this.errno = errno;
    this.detail = detail;
  }
}

/** The message of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
