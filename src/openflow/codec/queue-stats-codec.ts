// Statistics of queues. OpenFlow 1.3.5 section 7.3.5.8.
import { PeerError } from '../../base/errors.ts';
import type { Message, OfVersion } from '../message.ts';
import { readList } from './actions/partial.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodePort, encodePort } from './port-codec.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

/** Reads statistics of queues to the end. */
export function decodeQueueStats(from: ByteReader, version: OfVersion): Of<'queueStatsReply'>['queues'] {
  return readList(from, () => {
    let entry = from;
    if (version >= 5) {
      const length = from.u16();
      if (length < 48) throw new PeerError('OFPBRC_BAD_LEN', `queue statistics of ${length} bytes`);
      entry = from.sub(length - 2).skip(6);
    }
    const port = decodePort(entry, version);
    if (version === 1) entry.skip(2);
    const queue = entry.u32();
    const txBytes = entry.u64();
    const txPackets = entry.u64();
    const txErrors = entry.u64();
    const durationSec = version >= 4 ? entry.u32() : 0xffffffff;
    const durationNsec = version >= 4 ? entry.u32() : 0xffffffff;
    return { port, queue, txBytes, txPackets, txErrors, durationSec, durationNsec };
  });
}

/** Writes those of one queue. */
export function encodeQueueStats(out: ByteWriter, version: OfVersion, q: Of<'queueStatsReply'>['queues'][number]): void {
  if (version >= 5) out.u16(48).zeros(6);
  encodePort(out, version, q.port);
  if (version === 1) out.u16(0);
  out.u32(q.queue).u64(q.txBytes).u64(q.txPackets).u64(q.txErrors);
  if (version >= 4) out.u32(q.durationSec).u32(q.durationNsec);
}
