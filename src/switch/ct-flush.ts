// NXT_CT_FLUSH and NXT_CT_FLUSH_ZONE in the words of the datapath's tracker.
import type { Datapath } from '../datapath/datapath.ts';
import type { CtTuple } from '../openflow/conntrack.ts';
import type { ConnectionFlush } from './core.ts';

type Request = Extract<Parameters<NonNullable<Datapath['conntrack']>>[0], { kind: 'flush' }>;
type Filter = Request['filter'];

/** An address as four words; those of IPv4 stand mapped in the message and alone in the tracker. */
function words(address: Uint8Array): number[] {
  const view = new DataView(address.buffer, address.byteOffset, address.byteLength);
  const four = [0, 4, 8, 12].map((at) => view.getUint32(at));
  const isMapped = four[0] === 0 && four[1] === 0 && four[2] === 0xffff;
  return isMapped ? [0, 0, 0, four[3] ?? 0] : four;
}

function tupleOf(tuple: CtTuple, proto: number): Filter['original'] {
  const { src, dst, srcPort, dstPort, icmpId, icmpType, icmpCode } = tuple;
  const made: NonNullable<Filter['original']> = {};
  if (src !== undefined) made.source = words(src);
  if (dst !== undefined) made.destination = words(dst);
  if (srcPort !== undefined) made.sourcePort = srcPort;
  if (dstPort !== undefined) made.destinationPort = dstPort;
  if (icmpId !== undefined) made.icmpId = icmpId;
  if (icmpType !== undefined) made.icmpType = icmpType;
  if (icmpCode !== undefined) made.icmpCode = icmpCode;
  const isEmpty = Object.keys(made).length === 0;
  if (proto !== 0) made.proto = proto;
  return isEmpty && proto === 0 ? undefined : made;
}

/** What the tracker is to be asked. */
export function flushRequest(request: ConnectionFlush): Request {
  if (request.kind === 'ctFlushZone') return { kind: 'flush', filter: { zone: request.zone, original: undefined, reply: undefined } };
  const { zone, proto, original, reply } = request;
  const hasReply = Object.keys(reply).length > 0;
  return { kind: 'flush', filter: { zone, original: tupleOf(original, proto), reply: hasReply ? tupleOf(reply, proto) : undefined } };
}
