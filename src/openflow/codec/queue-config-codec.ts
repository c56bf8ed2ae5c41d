// The configuration of queues: OFPT_QUEUE_GET_CONFIG of OpenFlow 1.0 to 1.3, OFPMP_QUEUE_DESC from OpenFlow 1.4 on.

import { PeerError } from '../../base/errors.ts';
import { OFPP } from '../action.ts';
import type { Message, OfVersion } from '../message.ts';
import { queueLog as log } from '../peer-logs.ts';
import { isWirePort32, portFromWire32 } from '../ports.ts';
import type { QueueConfig } from '../table.ts';
import { listMessage, readList } from './actions/partial.ts';
import { ByteReader, type ByteWriter, u32At } from './bytes.ts';
import { decodePort, encodePort } from './port-codec.ts';
import { eachProperty } from './properties.ts';

type Of<K extends Message['kind']> = Extract<Message, { kind: K }>;

const RATE = { MIN: 1, MAX: 2 } as const;
/** That a rate is not set. Others above 1000 say that the queue may not send. */
const NO_RATE = 0xffff;
const ALL_QUEUES = 0xffffffff;

/** Reads a request. */
export function decodeQueueConfigRequest(from: ByteReader, version: OfVersion): Of<'queueConfigRequest'> {
  const port = decodePort(from, version);
  if (version < 5 && port >= OFPP.MAX && (version === 1 || port !== OFPP.NONE))
    throw new PeerError('OFPQOFC_BAD_PORT', `queues of port ${port}`);
  return { kind: 'queueConfigRequest', port, queue: version >= 5 ? from.u32() : ALL_QUEUES };
}

/** Writes a request. */
export function encodeQueueConfigRequest(out: ByteWriter, version: OfVersion, message: Of<'queueConfigRequest'>): void {
  encodePort(out, version, message.port);
  if (version >= 5) out.u32(message.queue);
  else out.zeros(version === 1 ? 2 : 4);
}

function rates(from: ByteReader, version: OfVersion, queue: QueueConfig): QueueConfig {
  const set = (type: number, rate: number): void => {
    const name = type === RATE.MIN ? 'minRate' : 'maxRate';
    if (rate === NO_RATE) delete queue[name];
    else queue[name] = rate;
  };
  if (version >= 5) {
    for (const { number, body } of eachProperty(from)) {
      if (number !== RATE.MIN && number !== RATE.MAX) continue;
      // What follows the rate is padding, of whatever size.
      set(number, body.u16());
    }
    return queue;
  }
  while (from.left > 0) {
    const left = from.left;
    if (left < 8) throw new PeerError('OFPBRC_BAD_LEN', 'queue property cut off');
    const type = from.u16();
    const length = from.u16();
    if (length < 8 || length > left || length % 8 !== 0) throw new PeerError('OFPBRC_BAD_LEN', `queue property of ${length} bytes`);
    const body = from.sub(length - 4).skip(4);
    if (type !== RATE.MIN && type !== RATE.MAX) {
      log.info(`unknown queue property ${type}`);
      continue;
    }
    if (length !== 16) throw new PeerError('OFPBRC_BAD_LEN', `rate of ${length} bytes`);
    set(type, body.u16());
  }
  return queue;
}

/** Reads a reply; before OpenFlow 1.4 it is of one port. */
export function decodeQueueConfigReply(from: ByteReader, version: OfVersion, more: boolean): Message {
  if (version >= 5) {
    return listMessage(
      () => readList(from, () => decodeQueue14(from, version)),
      (queues) => ({ kind: 'queueConfigReply', port: OFPP.NONE, queues, more }),
    );
  }
  const head = from.take(8);
  const portOf = (): number => decodePort(new ByteReader(head), version);
  // A port that cannot be is a fault only where there are queues.
  const port = version === 1 || isWirePort32(u32At(head, 0)) ? portOf() : OFPP.NONE;
  return listMessage(
    () => readList(from, () => decodeQueue10(from, version, portOf())),
    (queues) => ({ kind: 'queueConfigReply', port, queues, more }),
  );
}

function decodeQueue14(from: ByteReader, version: OfVersion): QueueConfig {
  const left = from.left;
  if (left < 16) throw new PeerError('OFPBRC_BAD_LEN', 'queue cut off');
  const port = portFromWire32(from.u32());
  const queue = from.u32();
  const length = from.u16();
  if (length < 16 || length > left || length % 8 !== 0) throw new PeerError('OFPBRC_BAD_LEN', `queue of ${length} bytes`);
  const body = from.sub(length - 10);
  return rates(body.skip(6), version, { port, queue });
}

/** OpenFlow 1.2 put the port into each queue. */
function decodeQueue10(from: ByteReader, version: OfVersion, port: number): QueueConfig {
  const left = from.left;
  const fixed = version <= 2 ? 8 : 16;
  const queue = from.u32();
  if (version >= 3) from.skip(4);
  const length = from.u16();
  if (length < fixed || length > left) throw new PeerError('OFPBRC_BAD_LEN', `queue of ${length} bytes`);
  return rates(from.skip(version <= 2 ? 2 : 6).sub(length - fixed), version, { port, queue });
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
