// Actions from text: one entry an action's name, given what follows it. Faults are ConfigErrors in the reference's words.
// Facts: ovs-actions(7) and the reference's messages.
import { parseInteger, parsePort } from '../../flow/field-text.ts';
import type { Action } from '../action.ts';
import { OFPP } from '../action.ts';
import { misplaced, type Outer } from '../action-place.ts';
import { ethertype, hexBytes, inRange, ipOf, macOf, mplsLabel, pcp, tos, vid, wanted } from './action-argument.ts';
import { parseBundle, parseMultipath } from './bundle-text.ts';
import { parseCt } from './ct-text.ts';
import { parseDecap, parseEncap } from './encap-text.ts';
import { splitKeyValues } from './key-value-text.ts';
import { parseLearn } from './learn-text.ts';
import { parseNat } from './nat-text.ts';
import type { ActionTextContext } from './number-text.ts';
import { atoi16, fault, numberOf, portOf, scanned, tableOf, u32, u64 } from './number-text.ts';
import { parseController, parseEnqueue, parseOutput, parseResubmit } from './output-text.ts';
import { parseLoad, parseMove, parseSetField, parseWriteMetadata, stackPart } from './set-field-text.ts';
import { fieldOfText, parseSubfield } from './subfield-text.ts';

type Parser = (arg: string, context: ActionTextContext, word: { mark: string; key: string }) => Action | Action[];

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
  ['ct', (arg, context) => parseCt(arg, context, parseNested)],
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
