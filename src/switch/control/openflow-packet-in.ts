// OFPT_PACKET_IN for one connection, from what the bridge tells all of them. Frames are sent whole: like the reference, this switch
// holds no buffers (n_buffers is 0), so `max_len` and miss_send_len have nothing to cut.
import { encodeContinuation } from '../../openflow/codec/continuation-encode.ts';
import type { OfVersion, PacketIn } from '../../openflow/message.ts';
import type { PacketInEvent } from '../core.ts';
import { reasonFor } from './openflow-async.ts';

const NO_BUFFER = 0xffffffff;
/** OpenFlow 1.3 on: cookie of a frame that no flow sent. */
const NO_COOKIE = 0xffffffffffffffffn;

/** The message for a peer of `version`. */
export function packetInMessage(event: PacketInEvent, version: OfVersion): PacketIn {
  const isImplicit = event.reason === 'implicit_miss';
  const message: PacketIn = {
    kind: 'packetIn',
    bufferId: NO_BUFFER,
    totalLength: event.frame.length,
    reason: reasonFor(version, event.reason),
    table: event.table,
    cookie: isImplicit && version >= 4 ? NO_COOKIE : event.cookie,
    match: event.match,
    data: event.frame,
  };
  if (event.continuation !== undefined) message.continuation = encodeContinuation(event.continuation, version);
  if (event.userdata !== undefined && event.userdata.length > 0) message.userdata = event.userdata;
  if (event.continuation !== undefined) message.continuation = encodeContinuation(event.continuation, version);
  return message;
}
