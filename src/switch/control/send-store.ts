// The numbers that userspace actions carry, and what they stand for. Equal sends have one number, so that translating twice gives equal
// actions; and they are of one row with those of recirculations. The oldest are forgotten: a table can make a send for each value of a register.
import type { UserspaceCookie } from '../../datapath/datapath.ts';
import type { PacketInReason } from '../../openflow/action.ts';
import { idOf as frozenId, RecircStore } from '../translate/frozen.ts';
import type { ControllerSend, SendStore } from '../translate/translation.ts';

const MAX_SENDS = 65536;

const idOf = (send: ControllerSend): string => {
  let words = '';
  for (let i = 0; i < send.match.key.length; i++) if (send.match.mask[i] !== 0) words += `${i}:${send.match.key[i]},`;
  const { reason, table, cookie, maxLen, controllerId, userdata, meterId, isConntracked, continuation } = send;
  const rest = continuation === undefined ? '' : frozenId(continuation);
  return [send.bridge.name, reason, table, cookie, maxLen, controllerId, userdata?.join('.'), meterId, isConntracked, words, rest].join(
    '|',
  );
};

export class ControllerSends implements SendStore {
  readonly recirculations = new RecircStore();
  readonly #numbers = new Map<string, number>();
  readonly #sends = new Map<number, { id: string; send: ControllerSend }>();

  put(send: ControllerSend): number {
    const id = idOf(send);
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = this.recirculations.takeNumber();
      this.#numbers.set(id, number);
    } else {
      this.#sends.delete(number);
    }
    // Maps keep the order of insertion: what is asked for again goes to the end.
    this.#sends.set(number, { id, send });
    if (this.#sends.size > MAX_SENDS) {
      const [oldest, gone] = this.#sends.entries().next().value!;
      this.#sends.delete(oldest);
      this.#numbers.delete(gone.id);
    }
    return number;
  }

  get(number: number): ControllerSend | undefined {
    return this.#sends.get(number)?.send;
  }

  /** For `forgetSince`. */
  mark(): number {
    return this.recirculations.next;
  }

  /** Forgets all numbers given out since `mark`: whoever was told one no longer has it. */
  forgetSince(mark: number): void {
    this.recirculations.forgetSince(mark);
    for (const [number, { id }] of this.#sends) {
      if (number < mark) continue;
      this.#sends.delete(number);
      this.#numbers.delete(id);
    }
  }
}

/** OpenFlow's numbers of reasons, as the reference shows them in a datapath action. */
const REASON_NUMBER: Readonly<Record<PacketInReason, number>> = {
  no_match: 0,
  action: 1,
  invalid_ttl: 2,
  action_set: 3,
  group: 4,
  packet_out: 5,
  explicit_miss: 6,
  implicit_miss: 7,
};

/** The inside of `userspace(pid=0,...)` of a datapath action. */
export function formatCookie(sends: ControllerSends, cookie: UserspaceCookie): string {
  if (cookie.reason === 'slow_path') return 'slow_path(action)';
  const send = sends.get(cookie.token);
  if (cookie.reason !== 'controller' || send === undefined) return cookie.reason;
  const { reason, cookie: ruleCookie, controllerId, maxLen, continuation } = send;
  const shown = ruleCookie === 0n ? '0' : `0x${ruleCookie.toString(16)}`;
  const number = typeof reason === 'number' ? reason : REASON_NUMBER[reason];
  return `controller(reason=${number},dont_send=0,continuation=${continuation === undefined ? 0 : 1},recirc_id=${cookie.token},rule_cookie=${shown},controller_id=${controllerId},max_len=${maxLen ?? 65535})`;
}
