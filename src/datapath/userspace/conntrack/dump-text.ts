// `ovs-appctl dpctl/dump-conntrack`: one line a connection. Facts: the running reference.
import { formatIpv4, formatIpv6 } from '../../../base/addresses.ts';
import { hex } from '../../key-text.ts';
import type { CtEntry } from './request.ts';
import { SCALE_GIVEN, TCP_STATE, TCP_STATE_NAMES } from './tcp-state.ts';
import { IPV4, isIcmp, T, type Tuple, tupleFamily, tupleProto, tupleZone } from './tuple.ts';

export interface ConntrackTextOptions {
  /** `-m`: more of the state. */
  verbose?: boolean;
  /** `-s`: seconds left. */
  timeouts?: boolean;
}

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
  [132, 'sctp'],
]);

function tupleText(tuple: Tuple): string {
  const address = (at: number): string => (tupleFamily(tuple) === IPV4 ? formatIpv4(tuple[at + 3]!) : formatIpv6(tuple, at));
  const ports = tuple[T.PORTS]!;
  const what = isIcmp(tupleProto(tuple))
    ? `id=${ports >>> 16},type=${(ports >>> 8) & 0xff},code=${ports & 0xff}`
    : `sport=${ports >>> 16},dport=${ports & 0xffff}`;
  return `src=${address(T.SRC)},dst=${address(T.DST)},${what}`;
}

const wide = (words: Uint32Array): bigint => words.reduce((all, word) => (all << 32n) | BigInt(word), 0n);

/** A connection as a line. */
export function formatConntrack(entry: CtEntry, options: ConntrackTextOptions): string {
  const { original, reply, tcp, mark, label } = entry;
  const zone = tupleZone(original);
  const proto = tupleProto(original);
  const parts = [PROTOCOL_NAMES.get(proto) ?? String(proto), `orig=(${tupleText(original)})`, `reply=(${tupleText(reply)})`];
  if (options.verbose === true) parts.push('id=0');
  if (zone !== 0) parts.push(`zone=${zone}`);
  if (options.verbose === true) parts.push('status=0');
  if (options.timeouts === true) parts.push(`timeout=${entry.timeoutSec}`);
  if (mark !== 0) parts.push(`mark=${mark}`);
  if (wide(label) !== 0n) parts.push(`labels=${hex(wide(label))}`);
  if (tcp !== undefined) parts.push(`protoinfo=(${tcpText(tcp, options.verbose === true)})`);
  if (entry.helper !== '') parts.push(`helper=${entry.helper}`);
  if (entry.parent !== undefined) parts.push(`parent=(${tupleText(entry.parent)})`);
  return parts.join(',');
}

function tcpText(tcp: NonNullable<CtEntry['tcp']>, isVerbose: boolean): string {
  const [first, second] = tcp.states;
  const name = (state: number): string => TCP_STATE_NAMES[state] ?? 'CLOSED';
  if (!isVerbose) return `state=${name(coalesce(first, second))}`;
  const [a, b] = tcp.scales;
  const isGiven = (value: number): boolean => (value & SCALE_GIVEN) !== 0;
  const flags = (value: number): string => (isGiven(value) ? 'WINDOW_SCALE' : '0');
  const scales = isGiven(a) || isGiven(b) ? `,wscale_orig=${a & 0xf},wscale_reply=${b & 0xf}` : '';
  return `state_orig=${name(first)},state_reply=${name(second)}${scales},flags_orig=${flags(a)},flags_reply=${flags(b)}`;
}

/** One state for both sides, in the words of trackers that have but one: the later, and what they cannot tell apart alike. */
export function coalesce(first: number, second: number): number {
  const later = Math.max(first, second);
  if (later === TCP_STATE.FIN_WAIT_2) return TCP_STATE.TIME_WAIT;
  return later === TCP_STATE.SYN_RECV ? TCP_STATE.ESTABLISHED : later;
}
