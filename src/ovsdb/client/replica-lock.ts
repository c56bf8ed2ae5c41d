// The lock that a replica asks for on each connection.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { asObject, type Json } from '../json/json.ts';
import type { RpcSession } from '../json/jsonrpc.ts';

const log = logger('ovsdb_idl');

export class ReplicaLock {
  /** undefined: none is wanted. */
  readonly #name: string | undefined;
  #isHeld = false;
  #isContended = false;
  /** The server spoke of the lock by notification, which is newer than the reply to our request. */
  #isNotified = false;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  /** Also when none is wanted. */
  get isHeld(): boolean {
    return this.#name === undefined || this.#isHeld;
  }

  /** Somebody else holds it. */
  get isContended(): boolean {
    return this.#isContended;
  }

  /** Asks for it on a new connection; `isCurrent` tells whether that is still the one, `then` is called when the answer counted. */
  ask(session: RpcSession, isCurrent: () => boolean, then: () => void): void {
    if (this.#name === undefined) return;
    this.#isNotified = false;
    session.call('lock', [this.#name]).then(
      (reply) => {
        if (!isCurrent() || this.#isNotified) return;
        this.#set(asObject(reply)?.get('locked') === true);
        then();
      },
      (error) => log.warn(`${session.name}: "lock" failed: ${errorText(error)}`),
    );
  }

  /** Takes a notification, `locked` or `stolen`; gives whether it was of this lock. */
  notified(method: string, params: readonly Json[]): boolean {
    if (params[0] !== this.#name) return false;
    this.#isNotified = true;
    this.#set(method === 'locked');
    return true;
  }

  /** The connection ended. */
  lost(): void {
    this.#isHeld = false;
    this.#isContended = false;
  }

  #set(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#isContended = !isHeld;
  }
}
