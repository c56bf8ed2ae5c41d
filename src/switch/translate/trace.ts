// `ofproto/trace`: what translation does with a flow, as text.
import { ConfigError, errorText } from '../../base/errors.ts';
import { formatDpActions } from '../../datapath/action-text.ts';
import type { UserspaceCookie } from '../../datapath/datapath.ts';
import { extractKey } from '../../flow/extract.ts';
import { fieldNamed } from '../../flow/fields.ts';
import { type Key, matchAll, newKey, VLAN_CFI, W } from '../../flow/key.ts';
import { addFieldText, formatMatch } from '../../flow/match-text.ts';
import { OFPP } from '../../openflow/action.ts';
import { formatActions } from '../../openflow/text/action-format.ts';
import type { Core } from '../bridge-core.ts';
import { formatCookie } from '../control/send-store.ts';
import { applyEffects } from './effects.ts';
import { fixVlan, hasPrereq, isArp, isIp, isIpv4 } from './subfield.ts';
import { translate } from './translate.ts';
import type { TraceNode, Translation } from './translation.ts';

/** Prints the nodes of a walk, indented where more follows. */
export function formatNodes(nodes: readonly TraceNode[], level: number, out: string[]): void {
  for (const [i, node] of nodes.entries()) {
    const isLine = node.kind !== 'bridge' && node.kind !== 'table';
    const more = isLine || i < nodes.length - 1 ? 1 : 0;
    const indent = '    '.repeat(level + more);
    switch (node.kind) {
      case 'bridge':
        out.push('', indent + node.text, indent + '-'.repeat(node.text.length));
        break;
      case 'detail':
        out.push(`${indent} -> ${node.text}`);
        break;
      case 'warn':
        out.push(`${indent} >> ${node.text}`);
        break;
      case 'error':
        out.push(`${indent} >>>> ${node.text} <<<<`);
        break;
      default:
        out.push(indent + node.text);
    }
    formatNodes(node.subs, level + more + more, out);
  }
}

const words = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
/** Metadata that is shown where it is not zero. */
const METADATA_WORDS = [W.PKT_MARK, W.SKB_PRIORITY, ...words(W.TUN_ID, 12), W.TUN_GBP, ...words(W.METADATA, 2), ...words(W.REGS, 16)];

/** The fields that a frame of this kind has, all exact. */
function wholeMask(key: Key): Key {
  const mask = newKey();
  mask[W.IN_PORT] = 0xffff;
  mask.fill(0xffffffff, W.ETH, W.ETH + 3);
  mask[W.TYPE] = 0xffff0000;
  mask[W.VLAN0] = 0xffff;
  for (const word of METADATA_WORDS) if (key[word] !== 0) mask[word] = 0xffffffff;
  // Fields of two words are shown whole.
  for (const word of [W.TUN_ID, W.METADATA]) if (key[word] !== 0 || key[word + 1] !== 0) mask.fill(0xffffffff, word, word + 2);
  if (isIp(key)) {
    mask[W.TYPE] = 0xffff03ff;
    mask[W.TOS] = 0xffff0000;
    if (isIpv4(key)) mask.fill(0xffffffff, W.NW_SRC, W.NW_DST + 1);
    else {
      mask[W.IPV6_LABEL] = 0xfffff;
      mask.fill(0xffffffff, W.IPV6_SRC, W.IPV6_DST + 4);
    }
    const proto = key[W.TYPE]! & 0xff;
    if (proto === 6) mask[W.TOS] = 0xffff0fff;
    if ([6, 17, 132, isIpv4(key) ? 1 : 58].includes(proto)) mask[W.TP] = 0xffffffff;
    const isNd = proto === 58 && (key[W.TP]! === 135 << 16 || key[W.TP]! === 136 << 16);
    if (isNd) {
      mask.fill(0xffffffff, W.ND_TARGET, W.ND_TARGET + 4);
      mask.fill(0xffffffff, W.ARP_HW, W.ARP_HW + 3);
    }
  } else if (isArp(key)) {
    mask[W.TYPE] = 0xffff00ff;
    mask.fill(0xffffffff, W.NW_SRC, W.NW_DST + 1);
    mask.fill(0xffffffff, W.ARP_HW, W.ARP_HW + 3);
  }
  return mask;
}

/** A whole key as text. */
export function formatFlow(key: Key): string {
  const mask = wholeMask(key);
  const text = formatMatch({ key: key.map((word, i) => word & mask[i]!), mask }, 0x8000);
  const shown = text.replace(/in_port=65535|in_port=NONE/, 'in_port=ANY');
  if ((key[W.VLAN0]! & VLAN_CFI) === 0) return shown;
  const inner = key[W.VLAN1]!;
  const second = (inner & VLAN_CFI) === 0 ? 'vlan_tci1=0x0000' : `dl_vlan1=${inner & 0xfff},dl_vlan_pcp1=${(inner >>> 13) & 7}`;
  return shown.replace(/(dl_vlan_pcp=\d+)/, `$1,${second}`);
}

/** A megaflow as text. */
export function formatMegaflow(key: Key, translation: Translation): string {
  const mask = translation.mask.slice();
  mask[W.IN_PORT] = 0xffff;
  mask[W.VLAN0] = mask[W.VLAN0]! & 0xffff;
  // The reference shows that there is no tag only when it gave up.
  const isTagged = (key[W.VLAN0]! & VLAN_CFI) !== 0;
  if (!translation.isVlanRead || (!isTagged && translation.error === undefined)) mask[W.VLAN0] = 0;
  mask[W.VLAN1] = 0;
  // Two bits are the field; the others of the byte are always zero.
  mask[W.TYPE] = mask[W.TYPE]! & 0xffff03ff;
  mask[W.PACKET_TYPE] = 0;
  const hasRecirc = mask[W.RECIRC_ID] !== 0;
  mask[W.RECIRC_ID] = 0;
  const text = formatMatch({ key: key.map((word, i) => word & mask[i]!), mask }, 0x8000);
  // Masked ports are hexadecimal even when they are zero.
  const shown = text.replace(/\b(tp_(?:src|dst))=0\//g, '$1=0x0/');
  return `${hasRecirc ? 'recirc_id=0,' : ''}eth,${shown}`.replace(/in_port=65535|in_port=NONE/, 'in_port=ANY');
}

/** Reads the flow of a trace: every field exact, what is not said zero. `portNamed` knows the ports that have names. */
export function parseTraceFlow(text: string, portNamed: (name: string) => number | undefined = () => undefined): Key {
  const match = matchAll();
  match.key[W.IN_PORT] = OFPP.NONE;
  const scratch = newKey();
  for (const word of text.split(/[,\s]+/)) {
    if (word === '') continue;
    const cut = word.indexOf('=');
    const name = cut < 0 ? word : word.slice(0, cut);
    try {
      const field = fieldNamed(name);
      if (field !== undefined && cut >= 0 && !hasPrereq(match.key, scratch, field.prereq)) {
        throw new ConfigError(`prerequisites not met for setting ${name}`);
      }
      const value = cut < 0 ? undefined : word.slice(cut + 1);
      const port = name === 'in_port' && value !== undefined ? portNamed(value.replace(/^"(.*)"$/, '$1')) : undefined;
      if (!addFieldText(match, name, port === undefined ? value : String(port))) throw new ConfigError(`unknown field ${name}`);
    } catch (error) {
      throw new ConfigError(`Bad openflow flow syntax: ${text}: ${errorText(error)}`);
    }
    fixVlan(match.key);
  }
  return match.key;
}

/**
 * Translates a flow and tells every step. With a frame, or one that stands for the flow itself (`generate`), the trace learns what the
 * frame would have taught.
 */
export function traceFlow(bridge: Core, flowText: string, frame: Uint8Array | 'generate' | undefined): string {
  const key = parseTraceFlow(flowText, (name) => {
    for (const port of bridge.ports.values()) if (port.name === name) return port.port;
    return undefined;
  });
  if (frame instanceof Uint8Array) extractKey(frame, 0, frame.length, key);
  const root: TraceNode[] = [];
  const { megaflows } = bridge;
  const nowMs = bridge.clock.now();
  const isTunnelled = bridge.ports.get(key[W.IN_PORT]!)?.tunnel !== undefined;
  const translation = translate({
    bridge,
    key,
    nowMs,
    sends: megaflows.sends,
    isTunnelled,
    trace: {
      root,
      isLearning: frame !== undefined,
      text: {
        rule: (rule) => {
          const match = formatMatch(rule.match(), 0x8000);
          const { cookie } = rule.settings;
          return `${match}${match === '' ? '' : ', '}priority ${rule.priority}${cookie === 0n ? '' : `, cookie 0x${cookie.toString(16)}`}`;
        },
        actions: (actions) => formatActions(actions),
      },
    },
  });
  // It is no traffic: nothing is counted.
  const lessons = translation.effects.filter((effect) => effect.kind === 'learn');
  if (frame !== undefined && applyEffects(lessons, 1, 0, nowMs)) megaflows.changed();
  const out = [`Flow: ${formatFlow(key)}`];
  formatNodes(root, 0, out);
  out.push('');
  const { finalKey, error, actions } = translation;
  const isUnchanged = error !== undefined || finalKey.every((word, i) => word === key[i]);
  out.push(`Final flow: ${isUnchanged ? 'unchanged' : formatFlow(finalKey)}`);
  out.push(`Megaflow: ${formatMegaflow(key, translation)}`);
  const options = {
    port: String,
    cookie: (cookie: UserspaceCookie) => formatCookie(megaflows.sends, cookie).replace('dont_send=0', 'dont_send=1'),
  };
  out.push(`Datapath actions: ${actions.length === 0 ? 'drop' : formatDpActions(actions, options)}`);
  if (error !== undefined) out.push(`Translation failed (${error}), packet is dropped.`);
  return out.join('\n');
}
