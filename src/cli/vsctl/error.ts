// How a command ends early.

/** Fatal: `ovs-vsctl: MESSAGE`, exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The database is not yet as the command wants it: wait for a change and run everything again. */
export class TryAgain extends Error {
  override readonly name = 'TryAgain';
}

/** Ends at once with an exit code and no text. */
export class ExitWith extends Error {
  override readonly name = 'ExitWith';
  readonly code: number;
  constructor(code: number) {
    super('exit');
    this.code = code;
  }
}
