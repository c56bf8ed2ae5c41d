// Faults as dpctl's commands tell them: lines that begin with what this process is called.
import { ConfigError } from '../../../base/errors.ts';

export const INVALID = 'Invalid argument';

let speaker = 'ovs-vswitchd';

/** A process that its monitor has started anew says so in its name: `PROGRAM(SUBPROGRAM)`. */
export function speakAs(program: string, subprogram: string): void {
  speaker = subprogram === '' ? program : `${program}(${subprogram})`;
}

/** The line of a fault; the reason is the words of an error number. */
export const said = (what: string, reason?: string): string => `${speaker}: ${what}${reason === undefined ? '' : ` (${reason})`}`;

/** A fault that ends a command, told by that line. */
export class DpctlError extends ConfigError {
  constructor(what: string, reason?: string) {
    super(said(what, reason));
  }
}
