// Buckets of groups: OpenFlow 1.1 to 1.4 (OpenFlow 1.3.5 section 7.3.4.2) and, with properties, 1.5 (OpenFlow 1.5.1 section 7.3.4.3.1),
// whose form Nicira's messages of OpenFlow 1.0 share.

import { PeerError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { OFPP } from '../action.ts';
import { BUCKET, type GroupBucket, type GroupType, OFPG } from '../group.ts';
import type { OfVersion } from '../message.ts';
import { groupLog as log, propertyLogs } from '../peer-logs.ts';
import { portFromWire32, portToWire32 } from '../ports.ts';
import { decodeActions, encodeActions } from './actions/action-codec.ts';
import type { ActionContext } from './actions/action-context.ts';
import { listOf } from './actions/list-check.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodeExperimenter } from './properties.ts';

const NO_PORT = 0xffffffff;
const PROPERTY = { WEIGHT: 0, WATCH_PORT: 1, WATCH_GROUP: 2, EXPERIMENTER: 0xffff } as const;

/** Whether a version's buckets have numbers and properties. */
export const hasBucketIds = (version: OfVersion): boolean => version === 1 || version === 6;

function fault(code: string, text: string, to: Logger = log): never {
  to.warn(text);
  throw new PeerError(code, text);
}

/** One property: type, and what follows its header. Properties are padded to 8 bytes. */
export function* decodeProperties(from: ByteReader): Generator<{ type: number; body: ByteReader }> {
  while (from.left > 0) {
    if (from.left < 4) throw new PeerError('OFPBPC_BAD_LEN', 'property header cut off');
    const type = from.u16();
    const length = from.u16();
    const padded = Math.ceil(length / 8) * 8;
    if (length < 4 || padded - 4 > from.left) throw new PeerError('OFPBPC_BAD_LEN', `property of ${length} bytes`);
    const whole = from.sub(padded - 4, 'OFPBPC_BAD_LEN');
    yield { type, body: whole.within(whole.bytes.subarray(0, length - 4)) };
  }
}

const watchPort = (wire: number): number => portFromWire32(wire, 'OFPGMFC_BAD_WATCH');

function decodeBucket11(from: ByteReader, version: OfVersion, bucketId: number): GroupBucket {
  const left = from.left;
  const length = from.u16();
  if (length < 16) fault('OFPGMFC_BAD_BUCKET', `OpenFlow message bucket length ${length} is not valid`);
  if (length > left) {
    fault('OFPGMFC_BAD_BUCKET', `OpenFlow message bucket length ${length} exceeds remaining buckets data size ${left}`);
  }
  const body = from.sub(length - 2);
  const weight = body.u16();
  const port = body.u32();
  const watchGroup = body.u32();
  body.skip(4);
  const actions = decodeActions(body, version, 'plain');
  // What the actions lack is told before what the port is not.
  return { bucketId, weight, watchPort: watchPort(port), watchGroup, actions };
}

function decodeBucket15(from: ByteReader, left: number, version: OfVersion, type: GroupType | undefined): GroupBucket {
  const length = from.u16();
  if (length < 8) fault('OFPGMFC_BAD_BUCKET', `OpenFlow message bucket length ${length} is not valid`);
  if (length > left) {
    fault('OFPGMFC_BAD_BUCKET', `OpenFlow message bucket length ${length} exceeds remaining buckets data size ${left}`);
  }
  const body = from.sub(length - 2);
  const actionsSize = body.u16();
  const bucketId = body.u32();
  if (actionsSize > body.left) {
    fault('OFPGMFC_BAD_BUCKET', `OpenFlow message bucket actions length ${actionsSize} exceeds remaining bucket data size ${body.left}`);
  }
  const actions = decodeActions(listOf(body, actionsSize, 'actions'), version, 'plain');
  const bucket: GroupBucket = { bucketId, weight: type === 'select' ? 1 : 0, watchPort: OFPP.NONE, watchGroup: OFPG.ANY, actions };
  const wholeWord = (property: ByteReader): number => {
    if (property.left !== 4) throw new PeerError('OFPBPC_BAD_LEN', `bucket property of ${property.left} bytes`);
    return property.u32();
  };
  let port = NO_PORT;
  for (const property of decodeProperties(body)) {
    switch (property.type) {
      case PROPERTY.WEIGHT:
        bucket.weight = property.body.u16();
        break;
      case PROPERTY.WATCH_PORT:
        port = wholeWord(property.body);
        break;
      case PROPERTY.WATCH_GROUP:
        bucket.watchGroup = wholeWord(property.body);
        break;
      case PROPERTY.EXPERIMENTER: {
        const { experimenter, experimenterType } = decodeExperimenter(property.body);
        const who = `exp_id 0x${experimenter.toString(16)}, exp_type ${experimenterType | 0}`;
        fault('OFPBPC_BAD_EXP_TYPE', `unknown group bucket property type for ${who}`, propertyLogs.group);
        break;
      }
      default:
        fault('OFPBPC_BAD_TYPE', `unknown group bucket property type ${property.type}`, propertyLogs.group);
    }
  }
  // The last that is named, and only once all has been read.
  bucket.watchPort = watchPort(port);
  if (bucketId > BUCKET.MAX) fault('OFPGMFC_BAD_BUCKET', `bucket id (${bucketId}) is out of range`);
  return bucket;
}

/**
 * Reads buckets of `size` bytes. Before OpenFlow 1.5 their numbers are their places. In OpenFlow 1.5 what is too short for one is told by the length
 * that stands there, be it behind the buckets.
 */
export function decodeBuckets(from: ByteReader, version: OfVersion, type: GroupType | undefined, size = from.left): GroupBucket[] {
  const buckets: GroupBucket[] = [];
  const end = from.at + size;
  while (from.at < end) {
    const left = end - from.at;
    if (hasBucketIds(version) ? from.left < 8 : left < 16) fault('OFPGMFC_BAD_BUCKET', `buckets end with ${left} leftover bytes`);
    buckets.push(hasBucketIds(version) ? decodeBucket15(from, left, version, type) : decodeBucket11(from, version, buckets.length));
  }
  if (new Set(buckets.map(({ bucketId }) => bucketId)).size < buckets.length) fault('OFPGMFC_BAD_BUCKET', 'Duplicate bucket id');
  return buckets;
}

/** Writes buckets. */
export function encodeBuckets(
  out: ByteWriter,
  version: OfVersion,
  buckets: readonly GroupBucket[],
  type: GroupType,
  context: ActionContext = {},
): void {
  for (const bucket of buckets) {
    const start = out.size;
    const { weight, watchGroup } = bucket;
    const port = bucket.watchPort === OFPP.NONE ? NO_PORT : portToWire32(bucket.watchPort);
    if (!hasBucketIds(version)) {
      out.u16(0).u16(weight).u32(port).u32(watchGroup).u32(0);
      encodeActions(out, bucket.actions, version, context);
    } else {
      out.u16(0).u16(0).u32(bucket.bucketId);
      encodeActions(out, bucket.actions, version, context);
      out.patch16(start + 2, out.size - start - 8);
      if (weight !== 0 || type === 'select') out.u16(PROPERTY.WEIGHT).u16(8).u16(weight).u16(0);
      if (bucket.watchPort !== OFPP.NONE) out.u16(PROPERTY.WATCH_PORT).u16(8).u32(port);
      if (watchGroup !== OFPG.ANY) out.u16(PROPERTY.WATCH_GROUP).u16(8).u32(watchGroup);
    }
    const size = out.size - start;
    if (size > 0xffff) throw new Error(`bucket of ${size} bytes does not fit a message`);
    out.patch16(start, size);
  }
}
