// Replies too long for one message: parts of up to 64 KiB, all but the last with the "more" flag, made one at a time so that a
// peer which reads slowly costs the rows of its reply and not their encoding.
import { PeerError } from '../../base/errors.ts';
import type { Message } from '../../openflow/message.ts';

const MAX_MESSAGE_SIZE = 0xffff;
/** Rows tried in one message at first; adapts to what fitted. */
const FIRST_BATCH = 400;

/** Encodes a message; may give more than 65535 bytes or throw for one that is too long. */
export type Encode = (message: Message) => Uint8Array;

/**
 * The parts of a reply with `rows`. `make` builds the message of some rows. A row that fits no message is an error of its own and ends
 * the reply, like any row that cannot be encoded for the peer's version.
 */
export function* replyParts<Row>(
  rows: readonly Row[],
  make: (rows: Row[], more: boolean) => Message,
  encode: Encode,
): Iterator<Uint8Array> {
  let at = 0;
  let batch = FIRST_BATCH;
  do {
    let count = Math.min(batch, rows.length - at);
    let part: Uint8Array | undefined;
    for (;;) {
      part = encodeWithin(make(rows.slice(at, at + count), at + count < rows.length), encode);
      if (part !== undefined) break;
      if (count <= 1) throw new PeerError('OFPBRC_MULTIPART_BUFFER_OVERFLOW', 'a row is longer than a message');
      count = Math.min(count - 1, Math.floor(count * 0.8));
    }
    at += count;
    const rowSize = part.length / Math.max(1, count);
    batch = Math.max(1, Math.min(4096, Math.floor((MAX_MESSAGE_SIZE * 0.94) / Math.max(1, rowSize))));
    yield part;
  } while (at < rows.length);
}

function encodeWithin(message: Message, encode: Encode): Uint8Array | undefined {
  try {
    const bytes = encode(message);
    return bytes.length <= MAX_MESSAGE_SIZE ? bytes : undefined;
  } catch (error) {
    if (error instanceof Error && /does not fit/.test(error.message)) return undefined;
    throw error;
  }
}
