// Actions as text, as the reference prints them. Facts: ovs-actions(7).

import { formatIpv4, formatIpv6, formatMac } from '../../base/addresses.ts';
import type { PortNames } from '../../flow/field-text.ts';
import { formatField, formatPort, formatTable, hex, type Masked } from '../../flow/field-text.ts';
import { type Field, partBits } from '../../flow/fields.ts';
import { keyBits } from '../../flow/key.ts';
import { hasColors, paint } from '../../flow/text-colors.ts';
import type { Action, LearnSpec, NatSpec } from '../action.ts';
import { OFPP } from '../action.ts';
import { CT_ALG } from '../codec/actions/action-constants.ts';
import { bytesToBig } from '../codec/bytes.ts';
import { isWirePort32, portFromWire32, tellOddPort } from '../ports.ts';
import { colorAction } from './action-color.ts';
import { formatSubfield } from './subfield-text.ts';

const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** Groups by number, with the reserved ones by name. */
export function formatGroup(group: number): string {
  if (group === 0xfffffffc) return 'ALL';
  if (group === 0xffffffff) return 'ANY';
  return String(group);
}

/** Writes actions; none is `drop`. */
export function formatActions(actions: readonly Action[], names?: PortNames): string {
  return actions.length === 0 ? paint('dr', 'drop') : actions.map((action) => formatAction(action, names)).join(',');
}

/** Writes one action. */
export function formatAction(action: Action, names?: PortNames): string {
  const text = actionText(action, names);
  return hasColors() ? colorAction(action, text) : text;
}

function actionText(action: Action, names?: PortNames): string {
  const port = (number: number): string => formatPort(number, names);
  switch (action.kind) {
    case 'output':
      if (action.port === OFPP.CONTROLLER) return `CONTROLLER:${action.maxLen}`;
      return action.port < OFPP.MAX ? `output:${port(action.port)}` : port(action.port);
    case 'outputReg':
      return `output:${formatSubfield(action.src)}`;
    case 'outputTrunc':
      return `output(port=${port(action.port)},max_len=${action.maxLen})`;
    case 'controller':
      return formatController(action);
    case 'enqueue':
      return `enqueue:${port(action.port)}:${action.queue}`;
    case 'group':
      return `group:${action.group}`;
    case 'bundle':
    case 'multipath':
      return formatHashing(action, port);
    case 'setField':
      return formatSetField(action, names);
    case 'regLoad':
      return formatLoad(action);
    case 'regMove':
      return `move:${formatSubfield(action.src)}->${formatSubfield(action.dst)}`;
    case 'setVlanVid':
      return `${action.pushIfNeeded ? 'mod_vlan_vid' : 'set_vlan_vid'}:${action.vid}`;
    case 'setVlanPcp':
      return `${action.pushIfNeeded ? 'mod_vlan_pcp' : 'set_vlan_pcp'}:${action.pcp}`;
    case 'stripVlan':
      return action.pop === true ? 'pop_vlan' : 'strip_vlan';
    case 'pushVlan':
      return `push_vlan:${hex4(action.ethertype)}`;
    case 'setEthSrc':
      return `mod_dl_src:${formatMac(...action.mac)}`;
    case 'setEthDst':
      return `mod_dl_dst:${formatMac(...action.mac)}`;
    case 'setIpv4Src':
      return `mod_nw_src:${formatIpv4(action.ip)}`;
    case 'setIpv4Dst':
      return `mod_nw_dst:${formatIpv4(action.ip)}`;
    case 'setIpDscp':
      return `mod_nw_tos:${action.dscp}`;
    case 'setIpEcn':
      return `mod_nw_ecn:${action.ecn}`;
    case 'setIpTtl':
      return `mod_nw_ttl:${action.ttl}`;
    case 'setL4SrcPort':
      return `mod_tp_src:${action.port}`;
    case 'setL4DstPort':
      return `mod_tp_dst:${action.port}`;
    case 'decTtl':
      return action.listed === true ? `dec_ttl(${action.controllerIds.join(',')})` : 'dec_ttl';
    case 'setMplsLabel':
      return `set_mpls_label(${action.label})`;
    case 'setMplsTc':
      return `set_mpls_tc(${action.tc})`;
    case 'setMplsTtl':
      return `set_mpls_ttl(${action.ttl})`;
    case 'decMplsTtl':
      return 'dec_mpls_ttl';
    case 'pushMpls':
      return `push_mpls:${hex4(action.ethertype)}`;
    case 'popMpls':
      return `pop_mpls:${hex4(action.ethertype)}`;
    case 'decNshTtl':
      return 'dec_nsh_ttl';
    case 'deleteField':
      return `delete_field:${action.field.name}`;
    case 'setTunnel':
      return `${action.wide || action.tunnelId > 0xffffffffn ? 'set_tunnel64' : 'set_tunnel'}:${hex(action.tunnelId)}`;
    case 'setQueue':
      return `set_queue:${action.queue}`;
    case 'popQueue':
      return 'pop_queue';
    case 'finTimeout': {
      const parts: string[] = [];
      if (action.idleTimeoutSec !== 0) parts.push(`idle_timeout=${action.idleTimeoutSec}`);
      if (action.hardTimeoutSec !== 0) parts.push(`hard_timeout=${action.hardTimeoutSec}`);
      return `fin_timeout(${parts.join(',')})`;
    }
    case 'resubmit': {
      const inPort = action.port === OFPP.IN_PORT ? '' : port(action.port);
      if (inPort !== '' && action.table === 255) return `resubmit:${inPort}`;
      return `resubmit(${inPort},${action.table === 255 ? '' : formatTable(action.table, names)}${action.withCtTuple ? ',ct' : ''})`;
    }
    case 'learn':
      return formatLearn(action, names);
    case 'conjunction':
      return `conjunction(${action.id},${action.clause + 1}/${action.clauses})`;
    case 'note':
      return `note:${[...action.data].map((byte) => byte.toString(16).padStart(2, '0')).join('.')}`;
    case 'exit':
      return 'exit';
    case 'sample': {
      const extra = action.samplingPort === OFPP.NONE ? '' : `,sampling_port=${port(action.samplingPort)}`;
      const direction = action.direction === '' ? '' : `,${action.direction}`;
      const ids = `collector_set_id=${action.collectorSetId},obs_domain_id=${action.obsDomainId},obs_point_id=${action.obsPointId}`;
      return `sample(probability=${action.probability},${ids}${extra}${direction})`;
    }
    case 'push':
    case 'pop':
      return `${action.kind}:${formatSubfield(action.subfield)}`;
    case 'clone':
      return `clone(${formatActions(action.actions, names)})`;
    case 'checkPktLarger':
      return `check_pkt_larger(${action.length})->${formatSubfield(action.dst)}`;
    case 'ct':
      return formatCt(action, names);
    case 'nat':
      return formatNat(action.nat);
    case 'ctClear':
      return 'ct_clear';
    case 'encap':
      return formatEncap(action);
    case 'decap':
      if (action.newPacketType === undefined) return 'decap()';
      return `decap(packet_type(ns=${action.newPacketType >>> 16},type=${hex(BigInt(action.newPacketType & 0xffff))}))`;
    case 'unrollXlate':
      return `unroll_xlate(table=${formatTable(action.table, names)}, cookie=${action.cookie})`;
    case 'debugRecirc':
      return 'debug_recirc';
    case 'debugSlow':
      return 'debug_slow';
    case 'meter':
      return `meter:${action.meter}`;
    case 'clearActions':
      return 'clear_actions';
    case 'writeActions':
      return `write_actions(${formatActions(action.actions, names)})`;
    case 'writeMetadata':
      return `write_metadata:${hex(action.metadata)}${action.mask === 0xffffffffffffffffn ? '' : `/${hex(action.mask)}`}`;
    case 'gotoTable':
      return `goto_table:${formatTable(action.table, names)}`;
  }
}

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>;

function formatController(action: Of<'controller'>): string {
  const isPlain =
    action.reason === 'action' && action.controllerId === 0 && action.userdata.length === 0 && !action.pause && action.meterId === 0;
  if (isPlain) return `CONTROLLER:${action.maxLen}`;
  const parts: string[] = [];
  // The reasons of a switch's own misses have no words.
  const isNameless = action.reason === 'explicit_miss' || action.reason === 'implicit_miss';
  if (action.reason !== 'action') parts.push(`reason=${isNameless ? '' : action.reason}`);
  if (action.maxLen !== 0xffff) parts.push(`max_len=${action.maxLen}`);
  if (action.controllerId !== 0) parts.push(`id=${action.controllerId}`);
  if (action.userdata.length > 0) parts.push(`userdata=${[...action.userdata].map((b) => b.toString(16).padStart(2, '0')).join('.')}`);
  if (action.pause) parts.push('pause');
  if (action.meterId !== 0) parts.push(`meter_id=${action.meterId}`);
  return `controller(${parts.join(',')})`;
}

/** A name, where there is one: the reference lets pass numbers that have none. */
const known = (name: string): string => (/^\d/.test(name) ? '<unknown>' : name);

function formatHashing(action: Of<'bundle'> | Of<'multipath'>, port: (number: number) => string): string {
  if (action.kind === 'multipath') {
    return `multipath(${action.fields},${action.basis},${action.algorithm},${action.maxLink + 1},${action.arg},${formatSubfield(action.dst)})`;
  }
  const dst = action.dst === undefined ? '' : `,${formatSubfield(action.dst)}`;
  const name = action.dst === undefined ? 'bundle' : 'bundle_load';
  return `${name}(${known(action.fields)},${action.basis},${known(action.algorithm)},ofport${dst},members:${action.members.map(port).join(',')})`;
}

/** States of connections that have no names, of 32 that there is room for. */
const UNKNOWN_STATES = 24;

/** A value in an action, of which every bit is meant: flags that are set, states of which those without a name are said, too. */
function formatWhole(field: Field, masked: Masked, names?: PortNames): string {
  if (field.format === 'ctState') {
    // In two parts, of which neither is the whole: the whole would be said by those alone that are set.
    const [low, high] = [0x7fn, 0x80n].map((mask) => formatField(field, { value: masked.value, mask }, names));
    const unknown = Array.from(
      { length: UNKNOWN_STATES },
      (_, i) => `${((masked.value >> BigInt(8 + i)) & 1n) === 0n ? '-' : '+'}[Unknown]`,
    );
    return `${low}${high}${unknown.join('')}`;
  }
  const text = formatField(field, masked, names);
  if (field.format !== 'tunFlags') return text;
  return masked.value === 0n ? '0' : text.slice(1);
}

/** Flags of tunnels that have names where bits are told that no field has. */
const TUN_FLAG_NAMES = ['oam', 'df', 'csum', 'key'];

function tunFlagsText(value: bigint): string {
  const names = TUN_FLAG_NAMES.filter((_, bit) => ((value >> BigInt(bit)) & 1n) !== 0n);
  const rest = value >> BigInt(TUN_FLAG_NAMES.length);
  return [...names, ...(rest === 0n ? [] : [hex(rest << BigInt(TUN_FLAG_NAMES.length))])].join('|');
}

/** A value as a field has it written, whatever of it the field has room for. */
function plainText(field: Field, value: bigint): string {
  if (field.format === 'decimal') return String(value);
  if (field.format === 'hex') return hex(value);
  // Of what says how a packet is cut its own bits alone are looked at.
  if (field.format === 'frag') return formatWhole(field, { value: value & 3n, mask: 3n });
  const bits = field.format === 'tcpFlags' ? field.bits : field.wireBytes * 8;
  return formatWhole(field, { value, mask: (1n << BigInt(bits)) - 1n });
}

/** Flags by name, and in one number those that there are no names for. */
function tcpFlagsText(field: Field, value: bigint): string {
  const rest = (value >> BigInt(field.bits)) << BigInt(field.bits);
  if (rest === 0n) return plainText(field, value);
  return value === rest ? hex(rest) : `${plainText(field, value)}|${hex(rest)}`;
}

/** A value that is too large for a part of a field, as the whole field has it written. */
export function loadedText(field: Field, value: bigint): string {
  if (field.format === 'tunFlags') return tunFlagsText(value);
  if (field.format === 'port32') {
    const port = Number(value);
    tellOddPort(port);
    return formatPort(isWirePort32(port) ? portFromWire32(port) : OFPP.NONE);
  }
  const text = field.format === 'tcpFlags' ? tcpFlagsText(field, value) : plainText(field, value);
  return field.format === 'packetType' ? `packet_type=${text}` : text;
}

function formatSetField({ field, value, mask, isMasked, aboveMask = 0n }: Of<'setField'>, names?: PortNames): string {
  const isVid = field.name === 'vlan_vid';
  const at = isVid ? field.at - 1 : field.at;
  const bits = isVid ? 13 : field.bits;
  const masked = { value: keyBits(value, at, bits), mask: keyBits(mask, at, bits) };
  if (masked.mask === 0n && aboveMask === 0n) return `set_field:ANY->${field.name}`;
  // Numbers and ports keep their own form before a mask, which is hexadecimal.
  const isPlain = field.format === 'port16' || field.format === 'port32' || field.format === 'decimal';
  const all = (1n << BigInt(bits)) - 1n;
  const isShown = (isMasked === true && field.format !== 'tunFlags') || (isPlain && masked.mask !== all) || aboveMask !== 0n;
  const shown = isShown ? `/${hex(masked.mask | aboveMask)}` : '';
  const text = formatWhole(field, isPlain || aboveMask !== 0n ? { value: masked.value, mask: all } : masked, names);
  return `set_field:${text}${shown}->${field.name}`;
}

function formatLearn(action: Of<'learn'>, names?: PortNames): string {
  const parts = [`table=${formatTable(action.table, names)}`];
  const add = (name: string, value: number): void => {
    if (value !== 0) parts.push(`${name}=${value}`);
  };
  add('idle_timeout', action.idleTimeoutSec);
  add('hard_timeout', action.hardTimeoutSec);
  add('fin_idle_timeout', action.finIdleTimeoutSec);
  add('fin_hard_timeout', action.finHardTimeoutSec);
  if (action.priority !== 0x8000) parts.push(`priority=${action.priority}`);
  if (action.sendFlowRem) parts.push('send_flow_rem');
  if (action.deleteLearned) parts.push('delete_learned');
  if (action.cookie !== 0n) parts.push(`cookie=0x${action.cookie.toString(16)}`);
  add('limit', action.limit);
  if (action.resultDst !== undefined) parts.push(`result_dst=${formatSubfield(action.resultDst)}`);
  for (const spec of action.specs) parts.push(formatSpec(spec));
  return `learn(${parts.join(',')})`;
}

function formatSpec(spec: LearnSpec): string {
  if (spec.kind === 'output') return `output:${formatSubfield(spec.src)}`;
  if (spec.kind === 'load')
    return `load:${typeof spec.src === 'bigint' ? hex(spec.src) : formatSubfield(spec.src)}->${formatSubfield(spec.dst)}`;
  const { dst, src } = spec;
  if (typeof src === 'bigint') {
    if (dst.offset === 0 && dst.bits === partBits(dst.field)) {
      const isNumber = dst.field.format === 'decimal' || dst.field.format === 'hex';
      const all = (1n << BigInt(dst.field.bits)) - 1n;
      const text = isNumber ? plainText(dst.field, src) : formatWhole(dst.field, { value: src, mask: all });
      return dst.field.format === 'packetType' ? `packet_type=${src === 0n ? 'eth' : `packet_type=${text}`}` : `${dst.field.name}=${text}`;
    }
    return `${formatSubfield(dst)}=${hex(src)}`;
  }
  const same = src.field === dst.field && src.offset === dst.offset;
  return same ? formatSubfield(dst) : `${formatSubfield(dst)}=${formatSubfield(src)}`;
}

function formatCt(action: Of<'ct'>, names?: PortNames): string {
  const parts: string[] = [];
  if (action.commit) parts.push(paint('vl', 'commit'));
  if (action.force) parts.push(paint('vl', 'force'));
  if (action.recircTable !== 255) parts.push(`${paint('sp', 'table=')}${formatTable(action.recircTable, names)}`);
  if (typeof action.zone !== 'number') parts.push(`${paint('pm', 'zone=')}${formatSubfield(action.zone)}`);
  else if (action.zone !== 0) parts.push(`${paint('pm', 'zone=')}${action.zone}`);
  // A NAT that comes first stands apart from exec although the wire has both in one list.
  const [first] = action.exec;
  const exec = first?.kind === 'nat' ? action.exec.slice(1) : action.exec;
  if (first?.kind === 'nat') parts.push(formatNat(first.nat));
  let body = [...parts, ...(exec.length === 0 ? [] : [`${paint('pr', 'exec(')}${formatActions(exec, names)}`])].join(',');
  // In colour the comma behind the list is part of its end, be it the last.
  const endsWithComma = exec.length > 0 && hasColors();
  if (exec.length > 0) body += paint('pr', endsWithComma ? '),' : ')');
  if (action.alg !== 0) body += `${body === '' || endsWithComma ? '' : ','}${paint('pm', 'alg=')}${CT_ALG.get(action.alg) ?? action.alg}`;
  return `${paint('pr', 'ct(')}${body}${paint('pr', ')')}`;
}

function formatNat(nat: NatSpec): string {
  const parts: string[] = [];
  if (nat.direction !== 'none') {
    let text = paint('pm', nat.direction);
    const address = (words: readonly number[]): string => (nat.family === 4 ? formatIpv4(words[3] ?? 0) : formatIpv6(words));
    if (nat.addrMin !== undefined || nat.portMin !== undefined) text += paint('pm', '=');
    if (nat.addrMin !== undefined) {
      const [low, high] = [address(nat.addrMin), nat.addrMax === undefined ? '' : address(nat.addrMax)];
      const ends = high === '' || high === low ? [low] : [low, high];
      text += (nat.family === 6 && nat.portMin !== undefined ? ends.map((end) => `[${end}]`) : ends).join('-');
    }
    if (nat.portMin !== undefined)
      text += `:${nat.portMin}${nat.portMax === undefined || nat.portMax === nat.portMin ? '' : `-${nat.portMax}`}`;
    parts.push(text);
    // What a range is not there for is not told.
    if (nat.family !== 0 && nat.persistent) parts.push(paint('vl', 'persistent'));
    if (nat.family !== 0 && nat.hash) parts.push(paint('vl', 'hash'));
    if (nat.family !== 0 && nat.random) parts.push(paint('vl', 'random'));
  }
  return paint('pr', 'nat') + (parts.length === 0 ? '' : paint('pr', '(') + parts.join(',') + paint('pr', ')'));
}

function formatTlv(value: Uint8Array): string {
  const data = bytesToBig(value.subarray(4, 4 + (value[3] ?? 0)));
  return `tlv(0x${(((value[0] ?? 0) << 8) | (value[1] ?? 0)).toString(16).padStart(4, '0')},${value[2] ?? 0},${hex(data)})`;
}

function formatEncap(action: Of<'encap'>): string {
  const names = new Map([
    [0, 'ethernet'],
    [0x1894f, 'nsh'],
    [0x18847, 'mpls'],
    [0x18848, 'mpls_mc'],
  ]);
  const name = names.get(action.packetType) ?? `0x${action.packetType.toString(16)}`;
  const props = action.props.map((prop) =>
    prop.class === 4 && prop.type === 1
      ? `md_type=${prop.value[0] ?? 0}`
      : prop.class === 4 && prop.type === 2
        ? formatTlv(prop.value)
        : `class=0x${prop.class.toString(16)},type=0x${prop.type.toString(16)}`,
  );
  return props.length === 0 ? `encap(${name})` : `encap(${name}(${props.join(',')}))`;
}

/** Names of actions in messages, where they are not the first word of their text. */
const NAMES: Partial<Record<Action['kind'], string>> = {
  outputReg: 'output_reg',
  outputTrunc: 'output_trunc',
  setField: 'set_field',
  stripVlan: 'strip_vlan',
  regLoad: 'set_field',
  regMove: 'move',
  setVlanVid: 'set_vlan_vid',
  setVlanPcp: 'set_vlan_pcp',
  setEthSrc: 'mod_dl_src',
  bundle: 'bundle',
  setTunnel: 'set_tunnel',
  push: 'push',
};

/** A load has 64 bits at most: of a wider part there are several. */
function formatLoad({ value, dst }: Extract<Action, { kind: 'regLoad' }>): string {
  const parts: string[] = [];
  for (let at = 0; at < dst.bits; at += 64) {
    const bits = Math.min(64, dst.bits - at);
    const part = { field: dst.field, offset: dst.offset + at, bits };
    parts.push(`load:${hex(BigInt.asUintN(bits, value >> BigInt(at)))}->${formatSubfield(part)}`);
  }
  return parts.join(',');
}

/** What an action is called. */
export function actionName(action: Action): string {
  return NAMES[action.kind] ?? (/^[a-z_0-9]+/.exec(actionText(action))?.[0] || action.kind);
}
