// A simulated device that has an IPv4 address answers who asks for it, as a host behind it would (RFC 826).
const ETHERNET_IPV4 = [8, 6, 0, 1, 8, 0, 6, 4, 0];
const REQUEST = 1;
const SIZE = 42;

/** The reply to a frame that was sent to the device, if that is a request for its address. */
export function arpReply(frame: Uint8Array, mac: readonly [number, number], address: number): Uint8Array | undefined {
  if (frame.length < SIZE || ETHERNET_IPV4.some((byte, i) => frame[12 + i] !== byte) || frame[21] !== REQUEST) return undefined;
  const asked = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (asked.getUint32(38) !== address) return undefined;
  const reply = frame.slice(0, SIZE);
  const view = new DataView(reply.buffer);
  reply.set(frame.subarray(6, 12), 0);
  reply[21] = 2;
  for (const at of [6, 22]) {
    view.setUint32(at, mac[0]);
    view.setUint16(at + 4, mac[1]);
  }
  view.setUint32(28, address);
  reply.set(frame.subarray(22, 32), 32);
  return reply;
}
