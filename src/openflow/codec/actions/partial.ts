// A list that ends in a fault: what stands before the fault is shown all the same, as the reference does, although the message is refused.
import { PeerError } from '../../../base/errors.ts';
import type { Message } from '../../message.ts';
import type { ByteReader } from '../bytes.ts';

/** A fault in a list, with the entries before it. */
class ListFault extends PeerError {
  readonly items: readonly unknown[];
  constructor(cause: PeerError, items: readonly unknown[]) {
    super(cause.code, cause.message);
    this.items = items;
  }
}

/** A fault in a message, with as much of it as could be read. */
export class PartialMessage extends PeerError {
  readonly partial: Message;
  constructor(cause: PeerError, partial: Message) {
    super(cause.code, cause.message);
    this.partial = partial;
  }
}

/** Reads entries to the end of `from`. */
export function readList<T>(from: ByteReader, one: (from: ByteReader) => T): T[] {
  const items: T[] = [];
  try {
    while (from.left > 0) items.push(one(from));
  } catch (error) {
    throw error instanceof PeerError ? new ListFault(error, items) : error;
  }
  return items;
}

/** A message made of a list that `read` reads with `readList`. */
export function listMessage<T>(read: () => T[], make: (items: T[]) => Message): Message {
  try {
    return make(read());
  } catch (error) {
    throw error instanceof ListFault ? new PartialMessage(error, make([...error.items] as T[])) : error;
  }
}
