// The actions of one list, one case each. An action changes the walk's key, or sends; reading and overwriting both mark the field, as
// Open vSwitch does, because whether a set is needed depends on the old value.

import { formatPort } from '../../flow/field-text.ts';
import { mustField } from '../../flow/fields.ts';
import { FRAG, VLAN_CFI, W } from '../../flow/key.ts';
import { type Action, OFPP } from '../../openflow/action.ts';
import { orderActionSet, outputOfSet } from './action-set.ts';
import { decap, decrementNshTtl, encap } from './encap.ts';
import { fixVlan, hasPrereq, isIp, isIpv4, markSubfield, moveSubfield, readSubfield, wholeField, writeSubfield } from './subfield.ts';
import { toController } from './to-controller.ts';
import type { Walk } from './translate.ts';
import { checkPacketLarger, clone } from './translate-branches.ts';
import { ct, ctClear } from './translate-ct.ts';
import { decrementTtl, deleteField, load, prereqs, setField, setTos, touchesIp } from './translate-fields.ts';
import { group } from './translate-groups.ts';
import { learn } from './translate-learn.ts';
import { bundle, multipath } from './translate-links.ts';
import { decrementMplsTtl, popMpls, pushMpls, setMpls } from './translate-mpls.ts';

const MAX_STACK = 4096;
const TUN_ID = wholeField(mustField('tun_id'));

/** Executes a list in order, until it ends or something ends it. `isLast` says that nothing is executed behind the list. */
export function runActions(walk: Walk, actions: readonly Action[], isLast = false): void {
  for (const [i, action] of actions.entries()) {
    if (!walk.hasExited && walk.wasMpls && readsBehindMpls(action)) walk.freeze();
    if (walk.hasExited) {
      leave(walk, actions, i);
      return;
    }
    walk.isLast = isLast && i === actions.length - 1 && walk.actionSet.length === 0;
    walk.reportAction(action);
    if (action.kind === 'checkPktLarger') {
      checkPacketLarger(walk, action, actions.slice(i + 1));
      return;
    }
    if (runAction(walk, action) === 'stop') return;
    if (walk.isFreezing) {
      leave(walk, actions, i + 1);
      return;
    }
  }
}

/** What a list still had to do when the walk froze. */
function leave(walk: Walk, actions: readonly Action[], from: number): void {
  if (!walk.isFreezing || from >= actions.length) return;
  walk.steps.push({ actions: actions.slice(from), table: walk.table, rule: walk.rule, cookie: walk.pause.thawedCookie });
}

/** After the last label has gone: whether an action reads or writes what only another parse of the frame can tell. */
function readsBehindMpls(action: Action): boolean {
  switch (action.kind) {
    case 'output':
    case 'outputTrunc':
    case 'outputReg':
    case 'enqueue':
    case 'group':
    case 'setVlanVid':
    case 'setVlanPcp':
    case 'setEthSrc':
    case 'setEthDst':
    case 'setTunnel':
    case 'setQueue':
      return false;
    case 'setField': {
      const word = action.field.at >> 5;
      return (
        (word >= W.NW_SRC && word <= W.TOS) ||
        (word >= W.IPV6_LABEL && word <= W.ND_OPTIONS) ||
        word === W.TYPE ||
        (word >= W.NSH && word < W.TUN_METADATA)
      );
    }
    default:
      return true;
  }
}

function runAction(walk: Walk, action: Action): 'stop' | undefined {
  const { key } = walk;
  switch (action.kind) {
    case 'output':
      walk.output(action.port, action.maxLen, true);
      return;
    case 'outputTrunc':
      outputTruncated(walk, action.port, action.maxLen);
      return;
    case 'outputReg': {
      const src = walk.placed(action.src);
      markSubfield(walk.wild, src);
      const port = readSubfield(key, src);
      if (port > 0xffffn) {
        walk.report('warn', `output port ${port} is out of range`);
        return;
      }
      walk.report('detail', `output port is ${port}`);
      walk.output(Number(port), action.maxLen, false);
      return;
    }
    case 'enqueue': {
      const before = key[W.SKB_PRIORITY]!;
      walk.mark(W.SKB_PRIORITY, -1);
      key[W.SKB_PRIORITY] = action.queue;
      walk.output(action.port, 0, false);
      key[W.SKB_PRIORITY] = before;
      return;
    }
    case 'setQueue':
      // As in Open vSwitch's user-space datapath the priority of a queue is its number.
      walk.mark(W.SKB_PRIORITY, -1);
      key[W.SKB_PRIORITY] = action.queue;
      return;
    case 'popQueue':
      walk.mark(W.SKB_PRIORITY, -1);
      if (key[W.SKB_PRIORITY] === walk.firstPriority) return;
      key[W.SKB_PRIORITY] = walk.firstPriority;
      walk.report('detail', `queue = ${walk.firstPriority === 0 ? '0' : `0x${walk.firstPriority.toString(16)}`}`);
      return;
    case 'controller':
      toController(
        walk,
        action.reason,
        action.maxLen,
        action.controllerId,
        userdataOf(action.userdata),
        action.providerMeterId ?? action.meterId,
        action.pause,
      );
      return;
    case 'setField':
      setField(walk, action);
      return;
    case 'regLoad':
      if (!prereqs(walk, action.dst, 'set_field')) return;
      touchesIp(walk, action.dst.field);
      load(walk, action.dst, action.value);
      return;
    case 'regMove': {
      if (!prereqs(walk, action.src, 'move') || !prereqs(walk, action.dst, 'move')) return;
      const [src, dst] = [walk.placed(action.src), walk.placed(action.dst)];
      markSubfield(walk.wild, src);
      markSubfield(walk.wild, dst);
      moveSubfield(key, src, dst);
      walk.reportValue(action.dst);
      return;
    }
    case 'setVlanVid':
      walk.mark(W.VLAN0, 0xfff | VLAN_CFI);
      if ((key[W.VLAN0]! & VLAN_CFI) !== 0 || action.pushIfNeeded) {
        key[W.VLAN0] = (key[W.VLAN0]! & ~0xfff) | VLAN_CFI | (action.vid & 0xfff);
        fixVlan(key);
      }
      return;
    case 'setVlanPcp':
      walk.mark(W.VLAN0, 0xe000 | VLAN_CFI);
      if ((key[W.VLAN0]! & VLAN_CFI) !== 0 || action.pushIfNeeded) {
        key[W.VLAN0] = (key[W.VLAN0]! & ~0xe000) | VLAN_CFI | ((action.pcp & 7) << 13);
        fixVlan(key);
      }
      return;
    case 'stripVlan':
      walk.mark(W.VLAN0, 0xffff);
      if ((key[W.VLAN0]! & VLAN_CFI) !== 0) {
        walk.mark(W.VLAN0, -1);
        walk.mark(W.VLAN1, -1);
        key[W.VLAN0] = key[W.VLAN1]!;
        key[W.VLAN1] = 0;
      }
      return;
    case 'pushVlan':
      walk.mark(W.VLAN0, -1);
      walk.mark(W.VLAN1, -1);
      key[W.VLAN1] = key[W.VLAN0]!;
      key[W.VLAN0] = ((action.ethertype << 16) | VLAN_CFI) >>> 0;
      return;
    case 'setEthSrc':
      walk.mark(W.ETH + 1, 0xffff);
      walk.mark(W.ETH + 2, -1);
      key[W.ETH + 1] = (key[W.ETH + 1]! & 0xffff0000) | (action.mac[0] >>> 16);
      key[W.ETH + 2] = (action.mac[0] << 16) | action.mac[1];
      return;
    case 'setEthDst':
      walk.mark(W.ETH, -1);
      walk.mark(W.ETH + 1, 0xffff0000);
      key[W.ETH] = action.mac[0];
      key[W.ETH + 1] = (key[W.ETH + 1]! & 0xffff) | (action.mac[1] << 16);
      return;
    case 'setIpv4Src':
    case 'setIpv4Dst':
      if (isIpv4(key)) {
        const word = action.kind === 'setIpv4Src' ? W.NW_SRC : W.NW_DST;
        walk.mark(W.TYPE, 0xff);
        walk.mark(word, -1);
        key[word] = action.ip;
      }
      return;
    case 'setIpDscp':
      if (isIp(key)) setTos(walk, 0xfc000000, action.dscp << 24);
      return;
    case 'setIpEcn':
      if (isIp(key)) setTos(walk, 0x03000000, action.ecn << 24);
      return;
    case 'setIpTtl':
      if (isIp(key)) setTos(walk, 0x00ff0000, action.ttl << 16);
      return;
    case 'setL4SrcPort':
    case 'setL4DstPort': {
      if (!isIp(key) || (key[W.TYPE]! & (FRAG.LATER << 8)) !== 0) return;
      walk.mark(W.TYPE, 0xff);
      const proto = key[W.TYPE]! & 0xff;
      // ICMP's type and code stand where ports do and have 8 bits; no other protocol's header is ever set.
      const width = proto === 1 || proto === 58 ? 0xff : 0xffff;
      const isSource = action.kind === 'setL4SrcPort';
      const bits = isSource ? 0xffff0000 : 0xffff;
      walk.mark(W.TP, bits);
      key[W.TP] = (key[W.TP]! & ~bits) | (isSource ? (action.port & width) << 16 : action.port & width);
      return;
    }
    case 'decTtl':
      return decrementTtl(walk, action.listed === true ? action.controllerIds : undefined);
    case 'setMplsLabel':
      return setMpls(walk, 0xfffff000, action.label << 12);
    case 'setMplsTc':
      return setMpls(walk, 0x00000e00, action.tc << 9);
    case 'setMplsTtl':
      return setMpls(walk, 0x000000ff, action.ttl);
    case 'decMplsTtl':
      return decrementMplsTtl(walk);
    case 'pushMpls':
      pushMpls(walk, action.ethertype);
      return;
    case 'popMpls':
      popMpls(walk, action.ethertype);
      return;
    case 'setTunnel':
      writeSubfield(key, TUN_ID, action.tunnelId);
      return;
    case 'resubmit': {
      const inPort = action.port === OFPP.IN_PORT ? key[W.IN_PORT]! : action.port;
      const table = action.table === 255 ? walk.table : action.table;
      // Tables that follow each other end by themselves: only the way back counts.
      walk.tableAction(inPort, table, false, table <= walk.table);
      return;
    }
    case 'gotoTable':
      walk.tableAction(key[W.IN_PORT]!, action.table, true, false);
      return;
    case 'meter': {
      const number = walk.bridge.meters.numberOf(action.meter);
      if (number !== undefined) walk.out.push({ kind: 'meter', meter: number });
      return;
    }
    case 'group':
      group(walk, action);
      return;
    case 'note':
      return;
    case 'conjunction':
      walk.report('error', 'executing no-op conjunction action');
      return;
    case 'debugSlow':
      walk.isSlow = true;
      return;
    case 'exit':
      walk.hasExited = true;
      return;
    case 'push': {
      if (walk.stack.length >= MAX_STACK) walk.fail('Stack too deep');
      const part = walk.placed(action.subfield);
      markSubfield(walk.wild, part);
      walk.stack.push({ value: readSubfield(key, part), bits: part.bits });
      return;
    }
    case 'pop': {
      const top = walk.stack.pop();
      if (top === undefined) {
        walk.report('error', 'stack underflow');
        return;
      }
      if (!hasPrereq(key, walk.wild, action.subfield.field.prereq)) return;
      const part = walk.placed(action.subfield);
      markSubfield(walk.wild, part);
      writeSubfield(key, part, top.value & ((1n << BigInt(part.bits)) - 1n));
      walk.reportValue(action.subfield);
      return;
    }
    case 'clone':
      clone(walk, action.actions);
      return;
    case 'clearActions':
      reportActionSet(walk, 'was');
      walk.actionSet = [];
      key[W.ACTSET_OUTPUT] = outputOfSet(walk.actionSet);
      return;
    case 'writeActions':
      walk.actionSet.push(...action.actions);
      key[W.ACTSET_OUTPUT] = outputOfSet(walk.actionSet);
      reportActionSet(walk, 'is');
      return;
    case 'writeMetadata': {
      const high = Number(action.mask >> 32n);
      const low = Number(action.mask & 0xffffffffn);
      key[W.METADATA] = (key[W.METADATA]! & ~high) | (Number(action.metadata >> 32n) & high);
      key[W.METADATA + 1] = (key[W.METADATA + 1]! & ~low) | (Number(action.metadata & 0xffffffffn) & low);
      return;
    }
    case 'ct':
      ct(walk, action);
      return;
    case 'nat':
      // Only inside ct, which puts it out.
      walk.ctNat = action.nat;
      return;
    case 'ctClear':
      ctClear(walk);
      return;
    case 'learn':
      learn(walk, action);
      return;
    case 'multipath':
      multipath(walk, action);
      return;
    case 'bundle':
      bundle(walk, action);
      return;
    case 'encap':
      encap(walk, action);
      return;
    case 'decap':
      if (decap(walk)) walk.freeze();
      return;
    case 'decNshTtl':
      return decrementNshTtl(walk) ? 'stop' : undefined;
    case 'deleteField':
      deleteField(walk, action);
      return;
    case 'finTimeout': {
      walk.mark(W.TYPE, 0xff);
      const { rule } = walk;
      if (!isIp(key) || (key[W.TYPE]! & 0xff) !== 6 || rule === undefined) return;
      const { idleTimeoutSec, hardTimeoutSec } = action;
      walk.effects.push({ kind: 'finTimeout', bridge: walk.bridge, rule, idleTimeoutSec, hardTimeoutSec });
      return;
    }
    case 'sample':
      // Samples go to the bridge's IPFIX exporters with that collector set; there are none.
      return;
    case 'debugRecirc':
      walk.freeze();
      return;
    default:
      // Flow mods with these are refused, so only a mistake of ours comes here; dropping is the safe answer.
      walk.fail(`action ${action.kind} is not supported`);
  }
}

const userdataOf = (data: Uint8Array): Uint8Array | undefined => (data.length > 0 ? data : undefined);

function outputTruncated(walk: Walk, port: number, maxLen: number): void {
  switch (port) {
    case OFPP.TABLE:
    case OFPP.NORMAL:
    case OFPP.FLOOD:
    case OFPP.ALL:
    case OFPP.CONTROLLER:
    case OFPP.NONE:
      walk.report('warn', 'output_trunc does not support that port');
      return;
    default: {
      const to = walk.bridge.ports.get(port);
      // Only ports that the datapath has can cut frames; so the reference words it for ports that do not exist, IN_PORT among them.
      if (port === walk.key[W.IN_PORT]) walk.report('warn', 'skipping output to input port');
      else if (to?.dpPort === undefined) {
        walk.report('error', `output_trunc does not support patch port ${formatPort(port)}`);
      } else walk.send(port, maxLen);
    }
  }
}

/** Says in a trace what the action set is, or was until now. */
function reportActionSet(walk: Walk, verb: 'is' | 'was'): void {
  if (!walk.isTraced) return;
  const ordered = orderActionSet(walk.actionSet);
  walk.report('detail', `action set ${verb}${ordered.length === 0 ? ' empty' : `: ${walk.reportText(ordered)}`}`);
}
