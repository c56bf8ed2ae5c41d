// The numbers that userspace actions carry, and what they stand for. Equal sends have one number, so that translating twice gives equal
// actions. The oldest are forgotten: a table can make a send for each value of a register.
import type { ControllerSend, SendStore } from './translation.ts';

const MAX_SENDS = 65536;

const idOf = (send: ControllerSend): string => {
  let words = '';
  for (let i = 0; i < send.match.key.length; i++) if (send.match.mask[i] !== 0) words += `${i}:${send.match.key[i]},`;
  const { reason, table, cookie, maxLen, controllerId, userdata, meterId } = send;
  return [send.bridge.name, reason, table, cookie, maxLen, controllerId, userdata?.join('.'), meterId, words].join('|');
};

export class ControllerSends implements SendStore {
  readonly #numbers = new Map<string, number>();
  readonly #sends = new Map<number, { id: string; send: ControllerSend }>();
  #next = 1;

  put(send: ControllerSend): number {
    const id = idOf(send);
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = this.#next++;
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
}
