// `ofproto/trace`: what translation does with a flow, as text. `trace-flow.ts` reads the flow, `trace-text.ts` prints.
//
// A trace is no traffic: nothing is counted, and the numbers that it gave out for recirculation and for the controller are free again when
// it ends, though never given out anew soon.

import { formatIpv4, formatIpv6 } from '../../base/addresses.ts';
import { ConfigError, PeerError } from '../../base/errors.ts';
import { formatDpActions } from '../../datapath/action-text.ts';
import type { DpNat, UserspaceCookie } from '../../datapath/datapath.ts';
import { extractKey } from '../../flow/extract.ts';
import { formatField, type PortNames } from '../../flow/field-text.ts';
import { partBits } from '../../flow/fields.ts';
import { CT_STATE, type Key, newKey, W } from '../../flow/key.ts';
import { formatMatch } from '../../flow/match-text.ts';
import { type Action, OFPP, type Subfield } from '../../openflow/action.ts';
import { checkActionList } from '../../openflow/action-check.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import { formatSubfield } from '../../openflow/text/subfield-text.ts';
import type { Core } from '../bridge-core.ts';
import type { TraceFlow, TraceOptions } from '../contract.ts';
import { formatCookie } from '../control/send-store.ts';
import { checkActions } from '../tables/action-references.ts';
import { applyEffects } from './effects.ts';
import { CT_WORDS, isIp, isIpv4, readSubfield } from './subfield.ts';
import { parseTraceFlow } from './trace-flow.ts';
import { ctStateText, formatFlow, formatMegaflow, formatNodes, hasOuter, number, withPlacedOptions } from './trace-text.ts';
import { translate } from './translate.ts';
import type { Recirculation, TraceNode, Translation } from './translation.ts';

/** The outer header's destination, which says that there is one. */
const TUNNEL_DESTINATION: readonly number[] = [W.TUN_DST, ...[0, 1, 2, 3].map((i) => W.TUN_IPV6_DST + i)];

/** One trace with what all of its passes share. */
interface TraceRun {
  bridge: Core;
  hasFrame: boolean;
  options: TraceOptions;
  /** Of the bridge's ports, where they are to be printed. */
  names: PortNames | undefined;
  out: string[];
  waiting: Recirculation[];
}

/**
 * Translates a flow and tells every step, also those after connection tracking. With a frame, or one that stands for the flow itself
 * (`generate`), the trace learns what the frame would have taught. Throws ConfigError.
 */
export function traceFlow(bridge: Core, flow: TraceFlow, frame: Uint8Array | 'generate' | undefined, options: TraceOptions = {}): string {
  const known: PortNames = {
    number: (name) => {
      for (const port of bridge.ports.values()) if (port.name === name) return port.port;
      return undefined;
    },
    name: (port) => bridge.ports.get(port)?.name,
  };
  const said = typeof flow === 'string' ? parseTraceFlow(flow, { number: known.number! }, bridge.tlvTable) : flow;
  const key = frame instanceof Uint8Array ? keyOfFrame(frame, said) : said;
  if (options.actions !== undefined) refuseUnfit(bridge, key, options.actions, options.isConsistent === true);
  const names = options.dpPortName === undefined ? undefined : known;
  const run: TraceRun = { bridge, hasFrame: frame !== undefined, options, names, out: [], waiting: [] };
  const { sends } = bridge.megaflows;
  const before = sends.mark();
  try {
    traceAll(run, key);
  } finally {
    sends.forgetSince(before);
  }
  return run.out.join('\n');
}

/** Where the words of an outer header and its options stand. */
const OUTER_WORDS = [
  [W.TUN_ID, W.NSH],
  [W.TUN_METADATA, W.TUN_METADATA_MAP + 2],
] as const;
/** What a frame has beside its bytes. */
const FRAME_METADATA: readonly number[] = [W.IN_PORT, W.RECIRC_ID, W.DP_HASH, W.SKB_PRIORITY, W.PKT_MARK];

/** The key of a frame: of what was said of it, its metadata counts, and connection tracking and an outer header where it has them. */
function keyOfFrame(frame: Uint8Array, said: Key): Key {
  const key = newKey();
  for (const word of FRAME_METADATA) key[word] = said[word]!;
  if (said[W.CT_STATE] !== 0) for (const word of CT_WORDS) key[word] = said[word]!;
  if (hasOuter(said)) for (const [from, to] of OUTER_WORDS) key.set(said.subarray(from, to), from);
  extractKey(frame, 0, frame.length, key);
  return key;
}

/** Refuses a packet-out's actions that no switch would take. */
function refuseUnfit(bridge: Core, key: Key, actions: readonly Action[], isConsistent: boolean): void {
  const known = { hasGroup: (id: number) => bridge.groups.has(id), hasMeter: (id: number) => bridge.meters.has(id) };
  try {
    const isFit = checkActionList(actions, { key, mask: newKey().fill(0xffffffff) });
    if (isConsistent && !isFit) throw new PeerError('OFPBAC_MATCH_INCONSISTENT', 'actions do not fit the flow');
    checkActions(actions, 0, known);
  } catch (error) {
    if (error instanceof PeerError) throw new ConfigError(`Bad actions: ${error.code}`);
    throw error;
  }
}

function traceAll(run: TraceRun, key: Key): void {
  const { out, waiting } = run;
  const ctNext = [...(run.options.ctNext ?? [])];
  traceOnce(run, key, run.options.actions);
  for (let next = waiting.shift(); next !== undefined && out.length < MOST_LINES; next = waiting.shift()) {
    const given = ctNext.shift();
    const after = next.key.slice();
    after[W.RECIRC_ID] = next.id;
    after[W.CT_STATE] = given ?? CT_STATE.TRK | CT_STATE.NEW;
    after[W.CT_ZONE] = ((next.ct!.zone << 16) | (after[W.CT_ZONE]! & 0xffff)) >>> 0;
    const state = ctStateText(after[W.CT_STATE]!).split('|').reverse().join('|');
    const rule = '='.repeat(79);
    out.push('', rule);
    const how =
      given === undefined ? `default ct_state=${state} (use --ct-next to customize)` : `ct_state=${given === 0 ? '0' : ctStateText(given)}`;
    out.push(`recirc(0x${next.id.toString(16)}) - resume conntrack with ${how}`);
    if (next.ct!.nat !== undefined) out.push(...simulateNat(after, next.ct!.nat));
    out.push(rule, '');
    traceOnce(run, after);
  }
}

/** What came with a packet-out has no table to go on from: the reference drops it there. */
function refuseThaw({ bridge, names, out }: TraceRun, key: Key): void {
  const title = `bridge("${bridge.name}")`;
  out.push('', title, '-'.repeat(title.length), 'thaw', '     >>>> Recirculation conflict (actions)! <<<<');
  out.push(
    '',
    'Final flow: unchanged',
    `Megaflow: ${formatMegaflow(withPlacedOptions(key, bridge.tlvTable), nothingRead(key), bridge.tlvTable, names)}`,
    'Datapath actions: drop',
  );
  out.push('Translation failed (Recirculation conflict), packet is dropped.');
}

/** A pipeline can recirculate for ever. */
const MOST_LINES = 20_000;

/** Shows what NAT may make of the flow: the first of its addresses and ports. */
function simulateNat(key: Key, nat: DpNat): string[] {
  const isV4 = isIpv4(key);
  const address = (v4: number, v6: number): string => (isV4 ? formatIpv4(key[v4]!) : `[${formatIpv6([...key.subarray(v6, v6 + 4)])}]`);
  const [source, destination] = isV4 ? ['nw_src', 'nw_dst'] : ['ipv6_src', 'ipv6_dst'];
  const text = (): string =>
    `${source}=${address(W.NW_SRC, W.IPV6_SRC)},tp_src=${key[W.TP]! >>> 16},${destination}=${address(W.NW_DST, W.IPV6_DST)},tp_dst=${key[W.TP]! & 0xffff}`;
  const isNamed = nat.direction !== '';
  const before = isNamed ? text() : '';
  const hasPorts = [6, 17, 132].includes(key[W.TYPE]! & 0xff);
  const isSource = nat.direction === 'src';
  if (isNamed) {
    if (nat.addrMin.some((word) => word !== 0)) {
      if (isV4) key[isSource ? W.NW_SRC : W.NW_DST] = nat.addrMin[3]!;
      else key.set(nat.addrMin, isSource ? W.IPV6_SRC : W.IPV6_DST);
    }
    if (nat.portMin !== 0 && hasPorts) {
      key[W.TP] = isSource ? ((nat.portMin << 16) | (key[W.TP]! & 0xffff)) >>> 0 : (key[W.TP]! & 0xffff0000) | nat.portMin;
    }
  }
  return ['Replacing src/dst IP/ports to simulate NAT:', ` Initial flow: ${before}`, ` Modified flow: ${isNamed ? text() : ''}`];
}

/** A whole field in its own form, a part of one as a number. */
function valueText(part: Subfield, key: Key): string {
  const isWhole = part.bits === partBits(part.field);
  const isPort = part.field.format === 'port32';
  const value = isWhole && isPort ? BigInt(key[part.field.at >> 5]!) : readSubfield(key, part);
  return `${formatSubfield(part)} is now ${isWhole ? formatField(part.field, { value, mask: (1n << BigInt(part.field.bits)) - 1n }) : number(value)}`;
}

function traceOnce(run: TraceRun, key: Key, packetOut?: readonly Action[]): void {
  const { bridge, hasFrame, names, out } = run;
  const root: TraceNode[] = [];
  const { megaflows } = bridge;
  const nowMs = bridge.clock.now();
  const recircId = key[W.RECIRC_ID]!;
  const frozen = recircId === 0 ? undefined : megaflows.sends.recirculations.get(recircId);
  // A flow made up with an outer header has one wherever it comes in.
  const isTunnelled = bridge.ports.get(key[W.IN_PORT]!)?.tunnel !== undefined || TUNNEL_DESTINATION.some((word) => key[word] !== 0);
  const { tlvTable } = bridge;
  const placed = withPlacedOptions(key, tlvTable);
  out.push(`Flow: ${formatFlow(placed, tlvTable, names)}`);
  if (recircId !== 0 && frozen === undefined) {
    const title = `bridge("${bridge.name}")`;
    out.push('', title, '-'.repeat(title.length), `     >>>> Recirculation context not found for ID ${recircId.toString(16)} <<<<`);
    out.push(
      '',
      'Final flow: unchanged',
      `Megaflow: ${formatMegaflow(placed, nothingRead(key), tlvTable, names)}`,
      'Datapath actions: drop',
    );
    out.push('Translation failed (No recirculation context), packet is dropped.');
    return;
  }
  if (frozen !== undefined && (run.options.actions?.length ?? 0) > 0) {
    refuseThaw(run, key);
    return;
  }
  const translation = translate({
    bridge: frozen?.bridge ?? bridge,
    key,
    frozen,
    ...(packetOut === undefined || packetOut.length === 0 ? {} : { actions: packetOut }),
    nowMs,
    sends: megaflows.sends,
    isTunnelled,
    trace: {
      root,
      isLearning: hasFrame,
      text: {
        rule: (rule) => {
          const match = formatMatch(rule.match(), 0x8000, names);
          const { cookie } = rule.settings;
          return `${match}${match === '' ? '' : ', '}priority ${rule.priority}${cookie === 0n ? '' : `, cookie 0x${cookie.toString(16)}`}`;
        },
        actions: (actions) => formatActions(actions, names),
        value: valueText,
      },
    },
  });
  // It is no traffic: nothing is counted.
  const lessons = translation.effects.filter((effect) => effect.kind === 'learn' || effect.kind === 'learnFlow');
  if (hasFrame && applyEffects(lessons, 1, 0, nowMs)) megaflows.changed();
  formatNodes(root, 0, out);
  out.push('');
  const { finalKey, error, actions, recirculations } = translation;
  // Whatever the flow says of a set of actions, a walk begins without one.
  const isUnchanged = finalKey.every((word, i) => word === (i === W.ACTSET_OUTPUT ? OFPP.UNSET : placed[i]));
  out.push(`Final flow: ${isUnchanged ? 'unchanged' : formatFlow(finalKey, tlvTable, names)}`);
  out.push(`Megaflow: ${formatMegaflow(placed, translation, tlvTable, names)}`);
  const options = {
    port: run.options.dpPortName ?? String,
    cookie: (cookie: UserspaceCookie) => {
      const text = formatCookie(megaflows.sends, cookie);
      return hasFrame ? text : text.replace('dont_send=0', 'dont_send=1');
    },
  };
  out.push(`Datapath actions: ${actions.length === 0 ? 'drop' : formatDpActions(actions, options)}`);
  if (error !== undefined) out.push(`Translation failed (${error}), packet is dropped.`);
  if (translation.isSlow) {
    out.push('This flow is handled by the userspace slow path because it:', '  - Uses action(s) not supported by datapath.');
  }
  // Only what connection tracking stands before is followed.
  if (error === undefined) run.waiting.push(...recirculations.filter((one) => one.ct !== undefined));
}

/** A translation of which nothing is known but what is always read. */
function nothingRead(key: Key): Translation {
  const mask = newKey();
  mask[W.RECIRC_ID] = 0xffffffff;
  mask[W.TYPE] = isIp(key) ? 0xffffff00 : 0xffff0000;
  return {
    actions: [],
    mask,
    effects: [],
    isVlanRead: false,
    finalKey: key,
    readUntilError: undefined,
    recirculations: [],
    isSlow: false,
    error: undefined,
  };
}
