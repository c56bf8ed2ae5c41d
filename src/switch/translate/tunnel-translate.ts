// Tunnel ports in translation. The outer header is part of the key: received frames have it from the datapath, and an output through a
// tunnel port fills it from the port's options, what actions set, and the inner header where the options say `inherit`.

import type { TunnelKey } from '../../datapath/datapath.ts';
import { TUN_FLAG, W } from '../../flow/key.ts';
import type { SwitchPort } from '../ports.ts';
import { nativeOutput } from './native-tunnel.ts';
import { isIp } from './subfield.ts';
import type { Walk } from './translate.ts';
import type { TunnelAddress, TunnelConfig } from './tunnel-config.ts';
import { optionsOf } from './tunnel-options.ts';

const NO_OPTIONS = new Uint8Array(0);
const ECN_MASK = 3;
const ECN_CE = 3;
const ECN_ECT0 = 2;

/** Marks what choosing the tunnel port read, and carries congestion marks of the outer header to the inner one;
 * false for a frame that has to be dropped, because it has no room for the mark (RFC 6040 section 4.2). */
export function markTunnelInput(walk: Walk): boolean {
  const { key } = walk;
  walk.mark(W.TUN_ID, -1);
  walk.mark(W.TUN_ID + 1, -1);
  if (key[W.TUN_DST] !== 0 || key[W.TUN_SRC] !== 0) {
    walk.mark(W.TUN_SRC, -1);
    walk.mark(W.TUN_DST, -1);
  } else {
    for (let i = 0; i < 4; i++) {
      walk.mark(W.TUN_IPV6_SRC + i, -1);
      walk.mark(W.TUN_IPV6_DST + i, -1);
    }
  }
  // Flags and tos; the outer ttl and ports say nothing about where a frame goes.
  walk.mark(W.TUN_FLAGS, ((TUN_FLAG.DONT_FRAGMENT | TUN_FLAG.CSUM | TUN_FLAG.KEY) << 16) | 0xff00);
  const outerTos = (key[W.TUN_FLAGS]! >>> 8) & 0xff;
  if (isIp(key) && (outerTos & ECN_MASK) === ECN_CE) {
    walk.mark(W.TOS, ECN_MASK << 24);
    const inner = (key[W.TOS]! >>> 24) & ECN_MASK;
    if (inner === 0) return false;
    key[W.TOS] = (key[W.TOS]! | (ECN_CE << 24)) >>> 0;
  }
  return true;
}

/** Sends the frame through a tunnel port. */
export function tunnelOutput(walk: Walk, port: SwitchPort, config: TunnelConfig): boolean {
  const { key } = walk;
  const remote = config.remote === 'flow' ? addressIn(walk, W.TUN_DST, W.TUN_IPV6_DST) : config.remote;
  const local =
    config.local === 'flow' ? addressIn(walk, W.TUN_SRC, W.TUN_IPV6_SRC) : config.local === 'any' ? ([0, 0, 0, 0] as const) : config.local;
  if (remote.every((word) => word === 0)) {
    walk.report('warn', 'Tunneling decided against output');
    return false;
  }
  let id = config.outKey;
  if (id === 'flow') {
    walk.mark(W.TUN_ID, -1);
    walk.mark(W.TUN_ID + 1, -1);
    id = (BigInt(key[W.TUN_ID]!) << 32n) | BigInt(key[W.TUN_ID + 1]!);
  }
  let tos = config.tos === 'inherit' ? 0 : config.tos & ~ECN_MASK;
  if (isIp(key)) {
    const inner = key[W.TOS]! >>> 24;
    walk.mark(W.TOS, ECN_MASK << 24);
    if (config.tos === 'inherit') {
      walk.mark(W.TOS, 0xfc000000);
      tos = inner & ~ECN_MASK;
    }
    // Congestion marks always go out with the frame; CE becomes ECT(0) outside.
    tos |= (inner & ECN_MASK) === ECN_CE ? ECN_ECT0 : inner & ECN_MASK;
  }
  let ttl = config.ttl === 'inherit' ? 64 : config.ttl;
  if (config.ttl === 'inherit' && isIp(key)) {
    walk.mark(W.TOS, 0x00ff0000);
    ttl = (key[W.TOS]! >>> 16) & 0xff;
  }
  walk.commit();
  const { native } = walk.bridge;
  if (native === undefined) walk.effects.push({ kind: 'port', port, direction: 'tx' });
  const flags =
    (config.dontFragment ? TUN_FLAG.DONT_FRAGMENT : 0) | (config.hasCsum ? TUN_FLAG.CSUM : 0) | (config.hasOutKey ? TUN_FLAG.KEY : 0);
  const tunnel: TunnelKey = {
    id,
    src: local,
    dst: remote,
    ipv6: remote[0] !== 0 || remote[1] !== 0 || remote[2] !== 0,
    tos,
    ttl,
    tpSrc: 0,
    tpDst: config.dstPort,
    flags,
    gbpId: 0,
    gbpFlags: 0,
    options: config.protocol === 'geneve' ? optionsOf(key, walk.wild, walk.bridge.tlvTable) : NO_OPTIONS,
    mark: config.egressPktMark ?? 0,
  };
  if (native !== undefined) {
    nativeOutput(walk, native, port, config.protocol, tunnel);
    return true;
  }
  walk.out.push({ kind: 'setTunnel', tunnel });
  walk.out.push({ kind: 'output', port: port.dpPort! });
  return true;
}

/** An address that actions put into the key: IPv4 if it is there, else IPv6. */
function addressIn(walk: Walk, v4: number, v6: number): TunnelAddress {
  const { key } = walk;
  walk.mark(v4, -1);
  for (let i = 0; i < 4; i++) walk.mark(v6 + i, -1);
  if (key[v4] !== 0) return [0, 0, 0, key[v4]!];
  return [key[v6]!, key[v6 + 1]!, key[v6 + 2]!, key[v6 + 3]!];
}
