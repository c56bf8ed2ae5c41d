// The configuration of queues: OFPT_QUEUE_GET_CONFIG of OpenFlow 1.0 to 1.3, OFPMP_QUEUE_DESC from OpenFlow 1.4 on.
import { PeerError } from '../../base/errors.ts';
import { OFPP } from '../action.ts';
import type { Message, OfVersion } from '../message.ts';
import type { QueueConfig } from '../table.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodePort, encodePort } from './port-codec.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const RATE = { MIN: 1, MAX: 2 } as const;
/** A rate above this says that it is not set. */
const MAX_RATE = 1000;
const ALL_QUEUES = 0xffffffff;

/** Reads a request. */
export function decodeQueueConfigRequest(from: ByteReader, version: OfVersion): Of<'queueConfigRequest'> {
  const port = decodePort(from, version, 'OFPQOFC_BAD_PORT');
  // Before OpenFlow 1.4 only real ports have queues; since 1.1 there is "any".
  if (version < 5 && port >= OFPP.MAX && (version === 1 || port !== OFPP.NONE)) throw new PeerError('OFPQOFC_BAD_PORT', `port ${port}`);
  return { kind: 'queueConfigRequest', port, queue: version >= 5 ? from.u32() : ALL_QUEUES };
}

/** Writes a request. */
export function encodeQueueConfigRequest(out: ByteWriter, version: OfVersion, message: Of<'queueConfigRequest'>): void {
  encodePort(out, version, message.port);
  if (version >= 5) out.u32(message.queue);
  else out.zeros(version === 1 ? 2 : 4);
}

function rates(from: ByteReader, version: OfVersion, queue: QueueConfig): QueueConfig {
  while (from.left >= 4) {
    const type = from.u16();
    const length = from.u16();
    if (length < 4) throw new PeerError('OFPBRC_BAD_LEN', `queue property of ${length} bytes`);
    const body = from.sub(length - 4);
    if (type !== RATE.MIN && type !== RATE.MAX) continue;
    if (version < 5) body.skip(4);
    const rate = body.u16();
    if (rate <= MAX_RATE) queue[type === RATE.MIN ? 'minRate' : 'maxRate'] = rate;
  }
  return queue;
}

/** Reads a reply; before OpenFlow 1.4 it is of one port. */
export function decodeQueueConfigReply(from: ByteReader, version: OfVersion, more: boolean): Of<'queueConfigReply'> {
  const queues: QueueConfig[] = [];
  if (version >= 5) {
    while (from.left > 0) {
      const port = decodePort(from, version);
      const queue = from.u32();
      const length = from.u16();
      if (length < 16) throw new PeerError('OFPBRC_BAD_LEN', `queue of ${length} bytes`);
      const body = from.sub(length - 10);
      queues.push(rates(body.skip(6), version, { port, queue }));
    }
    return { kind: 'queueConfigReply', port: 0xffff, queues, more };
  }
  const port = decodePort(from, version);
  from.skip(version === 1 ? 6 : 4);
  while (from.left > 0) {
    const queue = from.u32();
    // OpenFlow 1.2 put the port into each queue.
    const fixed = version <= 2 ? 8 : 16;
    if (version >= 3) from.skip(4);
    const length = from.u16();
    if (length < fixed) throw new PeerError('OFPBRC_BAD_LEN', `queue of ${length} bytes`);
    const skipped = version <= 2 ? 2 : 6;
    queues.push(rates(from.skip(skipped).sub(length - fixed), version, { port, queue }));
  }
  return { kind: 'queueConfigReply', port, queues, more };
}

/** Writes a reply. */
export function encodeQueueConfigReply(out: ByteWriter, version: OfVersion, message: Of<'queueConfigReply'>): void {
  if (version < 5) {
    encodePort(out, version, message.port);
    out.zeros(version === 1 ? 6 : 4);
  }
  for (const queue of message.queues) {
    if (version >= 5) encodePort(out, version, queue.port);
    const start = out.size;
    out.u32(queue.queue);
    if (version >= 3 && version < 5) encodePort(out, version, queue.port);
    const lengthAt = out.size;
    out.u16(0).zeros(version <= 2 ? 2 : 6);
    for (const [type, rate] of [
      [RATE.MIN, queue.minRate],
      [RATE.MAX, queue.maxRate],
    ] as const) {
      // OpenFlow 1.0 and 1.1 have no greatest rate.
      if (rate === undefined || (version <= 2 && type === RATE.MAX)) continue;
      if (version >= 5) out.u16(type).u16(8).u16(rate).u16(0);
      else out.u16(type).u16(16).u32(0).u16(rate).zeros(6);
    }
    out.patch16(lengthAt, out.size - start + (version >= 5 ? 4 : 0));
  }
}
