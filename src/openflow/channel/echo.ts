// Echoes, which are the same in all versions, those to come included.

const OFPT_ECHO_REPLY = 3;

/** The reply to an echo request: its transaction, its data and its version, whichever that is (OpenFlow 1.3.5 section 7.5.3). */
export function echoReplyTo(request: Uint8Array): Uint8Array {
  const reply = request.slice();
  reply[1] = OFPT_ECHO_REPLY;
  return reply;
}
