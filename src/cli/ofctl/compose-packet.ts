// compose-packet: a frame for a flow in which every field is exact, and whether what is extracted from it is that flow again.
import { hexDump } from '../../base/hex-dump.ts';
import { composeFrame } from '../../flow/compose.ts';
import { extractKey } from '../../flow/extract.ts';
import { type Key, type Match, newKey, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { parseExactFlow } from '../../openflow/text/exact-flow-text.ts';
import { keyMatch } from '../../openflow/text/packet-text.ts';
import { hexData } from './input.ts';
import { writePcap } from './pcap.ts';

const NO_PORT = 0xffff;

/** Where there is a tunnel, all of it is told, but for its number. */
function tellTunnel({ key, mask }: Match): void {
  if (key.subarray(W.TUN_DST, W.TUN_DST + 1).every(isZero) && key.subarray(W.TUN_IPV6_DST, W.TUN_IPV6_DST + 4).every(isZero)) return;
  mask.fill(0, W.TUN_ID, W.TUN_ID + 2);
  mask.fill(0xffffffff, W.TUN_SRC, W.TUN_FLAGS + 1);
  mask.fill(0xffffffff, W.TUN_GBP, W.TUN_EXTRA + 1);
}

const isZero = (word: number): boolean => word === 0;

const text = (key: Key): string => {
  const match: Match = keyMatch(key);
  match.mask[W.IN_PORT] = NO_PORT;
  tellTunnel(match);
  // Flags as they are, not as they are matched.
  return formatMatch(match).replace('tun_flags=-oam', 'tun_flags=0').replace('tun_flags=+oam', 'tun_flags=oam');
};

/** compose-packet FLOW [L7] */
export function composePacketCommand(flow: string, payload: string | undefined, isPcap: boolean): number {
  const specified = parseExactFlow(flow).key;
  const data = payload === undefined ? undefined : hexData(payload, `${payload}: trailing garbage in packet data`);
  // Whatever its packet type, the flow is given a frame.
  const framed = specified.slice();
  framed[W.PACKET_TYPE] = 0;
  const frame = composeFrame(framed, 0, data) ?? new Uint8Array(0);
  const extracted = newKey();
  extracted[W.IN_PORT] = NO_PORT;
  extractKey(frame, 0, frame.length, extracted);
  const [wanted, found] = [text(specified), text(extracted)];
  const differs = specified.some((word, i) => {
    if (i >= W.TUN_METADATA && i < W.DP_END) return false;
    return i === W.VLAN0 ? ((word ^ (extracted[i] ?? 0)) & 0xffff) !== 0 : word !== extracted[i];
  });
  if (differs) process.stderr.write(`specified and extracted flows differ:\nspecified: ${wanted}\nextracted: ${found}`);
  if (isPcap) process.stdout.write(writePcap([frame]));
  else process.stdout.write(hexDump(frame, 'bare'));
  return differs ? 1 : 0;
}
