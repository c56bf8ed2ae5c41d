// Actions from text: one entry an action's name, given what follows it. Faults are ConfigErrors in the reference's words.
// Facts: ovs-actions(7) and the reference's messages.
import { parseIpv4, parseMac } from '../../base/addresses.ts';
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { parseField, parseInteger, parsePort, scanInteger, scannedMac } from '../../flow/field-text.ts';
import { type Field, fieldNamed, tunFieldIndex } from '../../flow/fields.ts';
import { newKey, setKeyBits } from '../../flow/key.ts';
import { markPresent } from '../../flow/tun-fields.ts';
import type { Action, Subfield } from '../action.ts';
import { OFPP } from '../action.ts';
import { misplaced, type Outer } from '../action-place.ts';
import { CT_ALG, PACKET_IN_REASONS } from '../codec/actions/action-constants.ts';
import { loadPart } from '../load-part.ts';
import { portToWire32 } from '../ports.ts';
import { loadedText } from './action-format.ts';
import { parseBundle, parseMultipath } from './bundle-text.ts';
import { parseDecap, parseEncap } from './encap-text.ts';
import { splitKeyValues } from './key-value-text.ts';
import { parseLearn } from './learn-text.ts';
import { parseNat } from './nat-text.ts';
import type { ActionTextContext } from './number-text.ts';
import { atoi16, fault, numberOf, portOf, scanned, tableOf, u32, u64 } from './number-text.ts';
import { fieldOfText, parseSubfield, parseSubfieldPart } from './subfield-text.ts';

const socketLog = logger('socket_util');

function macOf(text: string): [number, number] {
  // What follows the address is not looked at.
  const address = /^(?:-?[0-9a-f]+:){5}-?[0-9a-f]+/i.exec(text)?.[0] ?? text;
  return parseMac(scannedMac(address)) ?? fault(`invalid mac address ${text}`);
}

function ipOf(text: string): number {
  // As inet_pton has it, zeros in front make no number.
  const ip = /(^|\.)0\d/.test(text) ? undefined : parseIpv4(text);
  if (ip !== undefined) return ip;
  socketLog.err(`"${text}" is not a valid IP address`);
  return fault(`${text}: could not convert to IP address`);
}

function ethertype(text: string): number {
  return numberOf(text, 16, 'ethertype');
}

const hexBytes = (text: string, what: string): Uint8Array => {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (text.charAt(at) === '.') {
      at++;
      continue;
    }
    const pair = text.slice(at, at + 2);
    if (!/^[0-9a-f]{2}$/i.test(pair)) fault(`bad hex digit in ${what}`);
    bytes.push(Number.parseInt(pair, 16));
    at += 2;
  }
  return new Uint8Array(bytes);
};

type Parser = (arg: string, context: ActionTextContext, word: { mark: string; key: string }) => Action | Action[];

/** What a reader gives, if it can read. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** An Ethernet header must be left. */
const MIN_TRUNCATED = 14;

function parseOutput(arg: string, context: ActionTextContext, word: { mark: string }): Action {
  if (word.mark === '(' && arg.includes('port') && arg.includes('max_len')) {
    let port: number = OFPP.NONE;
    let maxLen = 0;
    for (const { key, value = '' } of splitKeyValues(arg)) {
      if (key === 'port') {
        port = portOf(value, context, `output to unknown truncate port: ${value}`);
        const isReserved = port > OFPP.MAX && port !== OFPP.LOCAL && port !== OFPP.IN_PORT;
        if (isReserved) fault(`output to unsupported truncate port: ${value}`);
      } else if (key === 'max_len') {
        maxLen = u32(value);
        if (maxLen < MIN_TRUNCATED) fault(`max_len ${maxLen} is less than the minimum value ${MIN_TRUNCATED}`);
      } else fault(`invalid key '${key}' in output_trunc argument`);
    }
    return { kind: 'outputTrunc', port, maxLen };
  }
  const port = parsePort(arg, context.names);
  if (port !== undefined) return { kind: 'output', port, maxLen: port === OFPP.CONTROLLER ? 0xffff : 0 };
  const name = /^[^[]*/.exec(arg)?.[0] ?? '';
  const found = fieldOfText(name) === undefined ? undefined : readable(() => parseSubfieldPart(arg));
  if (found === undefined || found.rest !== '') return fault(`${arg}: output to unknown port`);
  return { kind: 'outputReg', src: found.subfield, maxLen: 0xffff };
}

const SPOKEN_REASONS = PACKET_IN_REASONS.filter((reason) => !reason.endsWith('_miss'));

function parseController(arg: string): Action {
  const action: Extract<Action, { kind: 'controller' }> = {
    kind: 'controller',
    maxLen: 0xffff,
    reason: 'action',
    controllerId: 0,
    userdata: new Uint8Array(0),
    pause: false,
    meterId: 0,
  };
  if (arg === '') return { kind: 'output', port: OFPP.CONTROLLER, maxLen: 0xffff };
  if (/^[0-9]+$/.test(arg)) return { kind: 'output', port: OFPP.CONTROLLER, maxLen: numberOf(arg, 16, 'max_len') };
  // Data that are there, be they none, are told in this form alone.
  let userdata: string | undefined;
  for (const { key, value = '' } of splitKeyValues(arg)) {
    if (key === 'reason') {
      // The reasons of a switch's own misses have no words: none stands for the first of them.
      action.reason =
        value === ''
          ? 'explicit_miss'
          : (SPOKEN_REASONS.find((reason) => reason === value.toLowerCase()) ?? fault(`unknown reason "${value}"`));
    } else if (key === 'max_len') action.maxLen = numberOf(value, 16, 'max_len');
    else if (key === 'id') action.controllerId = numberOf(value, 16, 'id');
    else if (key === 'userdata') userdata = value;
    else if (key === 'pause') action.pause = true;
    else if (key === 'meter_id') action.meterId = u32(value);
    else fault(`unknown key "${key}" parsing controller action`);
  }
  // The last of several counts, when all other words are read.
  if (userdata !== undefined) action.userdata = hexBytes(userdata, "`controller' action `userdata'");
  const isPlain =
    action.reason === 'action' && action.controllerId === 0 && userdata === undefined && !action.pause && action.meterId === 0;
  return isPlain ? { kind: 'output', port: OFPP.CONTROLLER, maxLen: action.maxLen } : action;
}

function parseEnqueue(arg: string, context: ActionTextContext): Action {
  // As strtok cuts it: marks in front of the port are passed over, and all behind the one that ends it is the queue.
  const [, portText = '', queueText = ''] = /^[:,]*([^:,]*)[:,]?(.*)$/s.exec(arg) ?? [];
  if (queueText === '') return fault('"enqueue" syntax is "enqueue:PORT:QUEUE" or "enqueue(PORT,QUEUE)"');
  return { kind: 'enqueue', port: portOf(portText, context, `${portText}: enqueue to unknown port`), queue: u32(queueText) };
}

function parseResubmit(arg: string, context: ActionTextContext): Action {
  const [portText = '', tableText = '', ct = ''] = arg.split(',');
  const port = portText === '' ? OFPP.IN_PORT : portOf(portText, context, `${portText}: resubmit to unknown port`);
  const table = tableText === '' ? 255 : tableOf(tableText, context.names, `${tableText}: resubmit to unknown table`);
  if (ct !== '' && ct !== 'ct') return fault(`${ct}: unknown parameter`);
  if (port === OFPP.IN_PORT && table === 255) return fault('at least one "in_port" or "table" must be specified on resubmit');
  return { kind: 'resubmit', port, table, withCtTuple: ct === 'ct' };
}

function parseLoad(arg: string): Action {
  const arrow = arg.indexOf('->');
  const valueText = arrow < 0 ? arg : arg.slice(0, arrow);
  if (arrow < 0) return fault(`${arg}: missing \`->'`);
  const value = scanInteger(valueText);
  // Decimals have 64 bits at most.
  if (arrow + 2 === arg.length) return fault(`${arg}: missing field name following \`->'`);
  const isTooLong = (value ?? 0n) > 0xffff_ffff_ffff_ffffn && !/^0x/i.test(valueText);
  const dst = parseSubfield(arg.slice(arrow + 2));
  if (value === undefined || isTooLong) return fault(`${arg}: cannot parse integer value`);
  if (value >> BigInt(dst.field.wireBytes * 8) !== 0n) return fault(`${arg}: cannot parse integer value`);
  if (value >> BigInt(dst.bits) !== 0n) return fault(`${arg}: value ${loadedText(dst.field, value)} does not fit into ${dst.bits} bits`);
  if (tunFieldIndex(dst.field) >= 0) return loadPart(dst, value);
  return { kind: 'regLoad', dst, value };
}

function parseMove(arg: string): Action {
  const { subfield: src, rest } = parseSubfieldPart(arg);
  if (!rest.startsWith('->')) fault(`${arg}: missing \`->' following source`);
  const dst = parseSubfield(rest.slice(2));
  if (src.bits !== dst.bits) return fault(`${arg}: source field is ${src.bits} bits wide but destination is ${dst.bits} bits wide`);
  return { kind: 'regMove', src, dst };
}

/** Whether a packet has room for a value as it is written, if that is a number. */
function isSettable({ name, bits, format }: Field, value: bigint | undefined): boolean {
  if (value === undefined || (format !== 'decimal' && format !== 'hex')) return true;
  if (name === 'nw_tos') return (value & 3n) === 0n;
  return value >> BigInt(name === 'vlan_vid' ? 13 : name === 'nsh_ttl' ? 6 : bits) === 0n;
}

function parseSetField(arg: string, context: ActionTextContext): Action {
  const arrow = arg.indexOf('->');
  if (arrow < 0) return fault(`${arg}: missing \`->'`);
  if (arrow + 2 === arg.length) return fault(`${arg}: missing field name following \`->'`);
  const name = arg.slice(arrow + 2).trim();
  const field = fieldNamed(name);
  if (field === undefined) return fault(`${name} is not a valid OXM field name`);
  if (!field.writable) return fault(`${name} is read-only`);
  const text = arg.slice(0, arrow).trim();
  const { value, mask } = parseField(field, text, context.names);
  if (!isSettable(field, parseInteger(text.replace(/\/.*/, '')))) fault(`${text} is not a valid value for field ${name}`);
  const isVid = field.name === 'vlan_vid';
  const [at, bits] = isVid ? [field.at - 1, 13] : [field.at, field.bits];
  const valueKey = newKey();
  const maskKey = newKey();
  // The value keeps bits outside the mask, as the reference sends them.
  setKeyBits(valueKey, at, bits, field.format === 'port32' ? BigInt(portToWire32(Number(value))) : value);
  setKeyBits(maskKey, at, bits, mask);
  markPresent(field, valueKey, maskKey);
  const written = parseInteger(/\/(.*)/.exec(text)?.[1] ?? '');
  const isNamed = field.format === 'tunFlags' && /^[+-]/.test(text);
  const isMasked = isNamed || (written !== undefined && written === (1n << BigInt(bits)) - 1n && bits < field.wireBytes * 8);
  const isNumber = field.format === 'decimal' || field.format === 'hex';
  const above =
    isNumber && !isVid && written !== undefined && written < (1n << BigInt(field.wireBytes * 8)) - 1n ? written >> BigInt(bits) : 0n;
  return {
    kind: 'setField',
    field,
    value: valueKey,
    mask: maskKey,
    ...(isMasked ? { isMasked } : {}),
    ...(above === 0n ? {} : { aboveMask: above << BigInt(bits) }),
  };
}

/** As C's scanf has "%i,%hhu/%hhu", with blanks between. */
const CONJUNCTION = /^\s*([+-]?(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*))\s*,\s*([+-]?\d+)\s*\/\s*([+-]?\d+)\s*$/i;

function parseConjunction(arg: string): Action {
  const [, id = '', one = '', of = ''] = CONJUNCTION.exec(arg) ?? fault('"conjunction" syntax is "conjunction(id,i/n)"');
  const [clause, clauses] = [scanned(one) & 0xff, scanned(of) & 0xff];
  if (clause === 0) return fault('clause index must be positive');
  if (clauses < 2) return fault('conjunction must have at least 2 clauses');
  if (clauses > 64) return fault('conjunction must have at most 64 clauses');
  if (clause > clauses) return fault('clause index must be less than or equal to number of clauses');
  return { kind: 'conjunction', id: Number(BigInt.asUintN(32, parseInteger(id) ?? 0n)), clause: clause - 1, clauses };
}

function parseCt(arg: string, context: ActionTextContext): Action {
  const ct: Extract<Action, { kind: 'ct' }> = { kind: 'ct', commit: false, force: false, recircTable: 255, zone: 0, alg: 0, exec: [] };
  for (const { key, value } of splitKeyValues(arg)) {
    if (key === 'commit') ct.commit = true;
    else if (key === 'force') ct.force = true;
    else if (key === 'table') {
      ct.recircTable = tableOf(value ?? '', context.names, `unknown table ${value ?? ''}`);
      if (ct.recircTable === 255) fault('invalid table 0xff');
    } else if (key === 'zone') {
      const number = parseInteger(value ?? '');
      const isNumber = number !== undefined && number <= 0xffffn && (number === 0n || !(value ?? '').includes('-'));
      ct.zone = isNumber ? Number(number) : parseSubfield(value ?? '');
    } else if (key === 'alg') {
      ct.alg = [...CT_ALG].find(([, name]) => name === value)?.[0] ?? fault(`invalid conntrack helper "${value ?? ''}"`);
    } else if (key === 'nat') ct.exec.push(parseNat(value ?? ''));
    else if (key === 'exec') ct.exec.push(...parseNested(value ?? '', context, 'ct'));
    else fault(`invalid argument to "ct" action: \`${key}'`);
  }
  if (ct.force && !ct.commit) fault('"force" flag requires "commit" flag.');
  return ct;
}

function parseSample(arg: string, context: ActionTextContext): Action {
  const sample: Extract<Action, { kind: 'sample' }> = {
    kind: 'sample',
    probability: 0,
    collectorSetId: 0,
    obsDomainId: 0,
    obsPointId: 0,
    samplingPort: OFPP.NONE,
    direction: '',
  };
  for (const { key, value = '' } of splitKeyValues(arg)) {
    if (key === 'probability') {
      sample.probability = numberOf(value, 16, 'probability');
      if (sample.probability === 0) fault(`invalid probability value "${value}"`);
    } else if (key === 'collector_set_id') sample.collectorSetId = u32(value);
    else if (key === 'obs_domain_id') sample.obsDomainId = u32(value);
    else if (key === 'obs_point_id') sample.obsPointId = u32(value);
    else if (key === 'sampling_port') sample.samplingPort = portOf(value, context, `${value}: unknown port`);
    else if (key === 'ingress' || key === 'egress') sample.direction = key;
    else fault(`invalid key "${key}" in "sample" argument`);
  }
  if (sample.probability === 0) fault('non-zero "probability" must be specified on sample');
  return sample;
}

function parseFinTimeout(arg: string): Action {
  let idle = 0;
  let hard = 0;
  for (const { key, value = '' } of splitKeyValues(arg)) {
    if (key === 'idle_timeout') idle = numberOf(value, 16, key);
    else if (key === 'hard_timeout') hard = numberOf(value, 16, key);
    else fault(`invalid key '${key}' in 'fin_timeout' argument`);
  }
  return { kind: 'finTimeout', idleTimeoutSec: idle, hardTimeoutSec: hard };
}

function parseWriteMetadata(arg: string): Action {
  const slash = arg.indexOf('/');
  const [value, mask] = slash < 0 ? [arg, undefined] : [arg.slice(0, slash), arg.slice(slash + 1)];
  // The mask is read first.
  const maskValue = mask === undefined ? 0xffffffffffffffffn : u64(mask);
  return { kind: 'writeMetadata', metadata: u64(value), mask: maskValue };
}

function stackPart(arg: string): Subfield {
  const { subfield, rest } = parseSubfieldPart(arg);
  return rest === '' ? subfield : fault(`${rest}: trailing garbage following push or pop`);
}

/** An argument that must not be empty. */
const wanted = (arg: string, action: string, what: string): string => (arg === '' ? fault(`${action}: expected ${what}.`) : arg);

function vid(arg: string): number {
  const value = numberOf(arg, 16, 'VLAN VID');
  return value > 0xfff ? fault(`${arg}: not a valid VLAN VID`) : value;
}

function pcp(arg: string): number {
  return inRange(arg, 8, 7, 'VLAN PCP');
}

function tos(arg: string): number {
  const value = numberOf(arg, 8, 'TOS');
  return (value & 3) !== 0 ? fault(`${arg}: not a valid TOS`) : value;
}

function mplsLabel(arg: string): number {
  const value = u32(arg);
  return value > 0xfffff ? fault(`${arg}: not a valid MPLS label`) : value;
}

function inRange(arg: string, bits: number, most: number, text: string): number {
  const value = numberOf(arg, bits, text);
  return value > most ? fault(`${arg}: not a valid ${text}`) : value;
}

/** The parsers by name, aliases included. */
const PARSERS: ReadonlyMap<string, Parser> = new Map<string, Parser>([
  ['output', parseOutput],
  ['controller', parseController],
  ['enqueue', parseEnqueue],
  ['group', (arg) => ({ kind: 'group', group: u32(arg) })],
  ['bundle', (arg, context) => parseBundle(arg, context, false)],
  ['bundle_load', (arg, context) => parseBundle(arg, context, true)],
  ['multipath', parseMultipath],
  ['set_field', parseSetField],
  ['load', parseLoad],
  ['move', parseMove],
  ['mod_vlan_vid', (arg) => ({ kind: 'setVlanVid', vid: vid(arg), pushIfNeeded: true })],
  ['set_vlan_vid', (arg) => ({ kind: 'setVlanVid', vid: vid(arg), pushIfNeeded: false })],
  ['mod_vlan_pcp', (arg) => ({ kind: 'setVlanPcp', pcp: pcp(arg), pushIfNeeded: true })],
  ['set_vlan_pcp', (arg) => ({ kind: 'setVlanPcp', pcp: pcp(arg), pushIfNeeded: false })],
  ['strip_vlan', () => ({ kind: 'stripVlan' })],
  ['pop_vlan', () => ({ kind: 'stripVlan', pop: true })],
  [
    'push_vlan',
    (arg) => {
      const type = ethertype(arg);
      return type === 0x8100 || type === 0x88a8 ? { kind: 'pushVlan', ethertype: type } : fault(`${arg}: not a valid VLAN ethertype`);
    },
  ],
  ['mod_dl_src', (arg) => ({ kind: 'setEthSrc', mac: macOf(arg) })],
  ['mod_dl_dst', (arg) => ({ kind: 'setEthDst', mac: macOf(arg) })],
  ['mod_nw_src', (arg) => ({ kind: 'setIpv4Src', ip: ipOf(arg) })],
  ['mod_nw_dst', (arg) => ({ kind: 'setIpv4Dst', ip: ipOf(arg) })],
  ['mod_nw_tos', (arg) => ({ kind: 'setIpDscp', dscp: tos(arg) })],
  ['mod_nw_ecn', (arg) => ({ kind: 'setIpEcn', ecn: inRange(arg, 8, 3, 'ECN') })],
  ['mod_nw_ttl', (arg) => ({ kind: 'setIpTtl', ttl: numberOf(arg, 8, 'TTL') })],
  ['mod_tp_src', (arg) => ({ kind: 'setL4SrcPort', port: numberOf(arg, 16, 'source port') })],
  ['mod_tp_dst', (arg) => ({ kind: 'setL4DstPort', port: numberOf(arg, 16, 'destination port') })],
  [
    'dec_ttl',
    (arg) => {
      if (arg === '') return { kind: 'decTtl', controllerIds: [] };
      const ids = arg.split(/[, ]+/).filter((id) => id !== '');
      if (ids.length === 0) fault('dec_ttl_cnt_ids: expected at least one controller id.');
      return { kind: 'decTtl', controllerIds: ids.map(atoi16), listed: true };
    },
  ],
  ['set_mpls_label', (arg) => ({ kind: 'setMplsLabel', label: mplsLabel(wanted(arg, 'set_mpls_label', 'label')) })],
  ['set_mpls_tc', (arg) => ({ kind: 'setMplsTc', tc: inRange(wanted(arg, 'set_mpls_tc', 'tc'), 8, 7, 'MPLS TC') })],
  ['set_mpls_ttl', (arg) => ({ kind: 'setMplsTtl', ttl: numberOf(wanted(arg, 'set_mpls_ttl', 'ttl'), 8, 'MPLS TTL') })],
  ['dec_mpls_ttl', () => ({ kind: 'decMplsTtl' })],
  ['push_mpls', (arg) => ({ kind: 'pushMpls', ethertype: numberOf(arg, 16, 'push_mpls') })],
  ['pop_mpls', (arg) => ({ kind: 'popMpls', ethertype: numberOf(arg, 16, 'pop_mpls') })],
  ['dec_nsh_ttl', () => ({ kind: 'decNshTtl' })],
  ['delete_field', (arg) => ({ kind: 'deleteField', field: fieldOfText(arg) ?? fault(`unknown field \`${arg}'`) })],
  [
    'set_tunnel',
    (arg) => {
      const tunnelId = u64(arg);
      return { kind: 'setTunnel', tunnelId, wide: tunnelId > 0xffffffffn };
    },
  ],
  ['set_tunnel64', (arg) => ({ kind: 'setTunnel', tunnelId: u64(arg), wide: true })],
  ['set_queue', (arg) => ({ kind: 'setQueue', queue: u32(arg) })],
  ['pop_queue', () => ({ kind: 'popQueue' })],
  ['fin_timeout', parseFinTimeout],
  ['resubmit', parseResubmit],
  ['learn', (arg, context) => parseLearn(arg, context)],
  ['conjunction', parseConjunction],
  [
    'note',
    (arg) => {
      return { kind: 'note', data: hexBytes(arg, "`note' argument") };
    },
  ],
  ['exit', () => ({ kind: 'exit' })],
  ['sample', parseSample],
  ['push', (arg) => ({ kind: 'push', subfield: stackPart(arg) })],
  ['pop', (arg) => ({ kind: 'pop', subfield: stackPart(arg) })],
  ['clone', (arg, context) => ({ kind: 'clone', actions: parseNested(arg, context, 'clone') })],
  [
    'check_pkt_larger',
    (whole) => {
      const arrow = whole.indexOf('->');
      if (arrow < 0) return fault(`${whole}: missing \`->'`);
      if (arrow + 2 === whole.length) return fault(`${whole}: missing field name following \`->'`);
      const dst = parseSubfield(whole.slice(arrow + 2));
      if (dst.bits !== 1) return fault('Only 1-bit destination field is allowed');
      return { kind: 'checkPktLarger', length: numberOf(whole.slice(0, arrow).replace(/\)$/, ''), 16, '(null)'), dst };
    },
  ],
  ['ct', parseCt],
  ['nat', parseNat],
  ['ct_clear', () => ({ kind: 'ctClear' })],
  ['encap', parseEncap],
  ['decap', parseDecap],
  ['debug_recirc', () => ({ kind: 'debugRecirc' })],
  ['debug_slow', () => ({ kind: 'debugSlow' })],
  ['meter', (arg) => ({ kind: 'meter', meter: u32(arg) })],
  ['apply_actions', () => fault('apply_actions is the default instruction')],
  ['clear_actions', () => ({ kind: 'clearActions' })],
  ['write_actions', (arg, context) => ({ kind: 'writeActions', actions: parseNested(arg, context, 'write_actions') })],
  ['write_metadata', parseWriteMetadata],
  ['goto_table', (arg, context) => ({ kind: 'gotoTable', table: tableOf(arg, context.names) })],
]);

function checkPlaces(actions: readonly Action[], outer: Outer | undefined, isPacketOut = false): Action[] {
  const wrong = misplaced(actions, outer, { takesInstructions: outer === undefined, isPacketOut });
  return wrong === undefined ? [...actions] : fault(wrong.text);
}

const parseNested = (text: string, context: ActionTextContext, outer: Outer): Action[] =>
  checkPlaces(parseActionList(text, context), outer);

function parseActionList(text: string, context: ActionTextContext): Action[] {
  const actions: Action[] = [];
  let drops = 0;
  let count = 0;
  for (const word of splitKeyValues(text)) {
    count++;
    const name = word.key.toLowerCase();
    const parser = PARSERS.get(name);
    if (parser !== undefined) {
      const parsed = parser(word.value ?? '', context, word);
      if (Array.isArray(parsed)) actions.push(...parsed);
      else actions.push(parsed);
      continue;
    }
    if (name === 'drop') {
      drops++;
      continue;
    }
    const port = parsePort(word.key, context.names);
    if (port !== undefined) actions.push({ kind: 'output', port, maxLen: 0 });
    else fault(`unknown action ${word.key}`);
  }
  if (drops > 0 && count > 1) fault('"drop" must not be accompanied by any other action or instruction');
  return actions;
}

/** Reads an action list. Throws ConfigError in the reference's words. */
export const parseActions = (text: string, context: ActionTextContext = {}): Action[] =>
  checkPlaces(parseActionList(text, context), undefined, context.isPacketOut);
