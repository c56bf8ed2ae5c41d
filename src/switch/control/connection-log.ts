// Says how busy a connection is with flow_mods: a line 10 s after the first, then at most once a minute, and at the end.
import type { Clock } from '../../base/clock.ts';
import { logger } from '../../base/log.ts';
import type { FlowModCommand } from '../../openflow/message.ts';

const log = logger('connmgr');

export class FlowModSummary {
  readonly #clock: Clock;
  readonly #name: string;
  #adds = 0;
  #deletes = 0;
  #modifications = 0;
  #first = 0;
  #last = 0;
  #waitMs = 10_000;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, name: string) {
    this.#clock = clock;
    this.#name = name;
  }

  count(command: FlowModCommand): void {
    this.#last = this.#clock.now();
    if (this.#cancel === undefined) {
      this.#first = this.#last;
      this.#cancel = this.#clock.after(this.#waitMs, () => {
        this.flush();
        this.#waitMs = 60_000;
      });
    }
    if (command === 'add') this.#adds++;
    else if (command === 'delete' || command === 'delete_strict') this.#deletes++;
    else this.#modifications++;
  }

  /** Writes what has gathered. */
  flush(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    const now = this.#clock.now();
    const ago = Math.floor((now - this.#first) / 1000);
    const span = Math.floor((this.#last - this.#first) / 1000);
    const parts: string[] = [];
    if (this.#adds > 0) parts.push(`${this.#adds} adds`);
    if (this.#deletes > 0) parts.push(`${this.#deletes} deletes`);
    if (this.#modifications > 0) parts.push(`${this.#modifications} modifications`);
    const total = this.#adds + this.#deletes + this.#modifications;
    let when: string;
    if (now - this.#last < 1000) when = `in the last ${ago} s`;
    else if (span === 0) when = `${ago} s ago`;
    else when = `in the ${span} s starting ${ago} s ago`;
    log.info(`${this.#name}: ${total} flow_mods ${when} (${parts.join(', ')})`);
    this.#adds = 0;
    this.#deletes = 0;
    this.#modifications = 0;
  }
}
