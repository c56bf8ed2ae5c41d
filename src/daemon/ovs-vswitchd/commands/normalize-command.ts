// dpctl/normalize-actions: what actions send with which tags, so that lists that do the same in other words can be compared. Text as in the
// running reference.
import { ConfigError } from '../../../base/errors.ts';
import { parseDpActions } from '../../../datapath/action-parse.ts';
import { formatDpActions } from '../../../datapath/action-text.ts';
import type { DpAction } from '../../../datapath/datapath.ts';
import { type ParsedKey, parseDpKey } from '../../../datapath/key-parse.ts';
import { ethernetText, networkText, transportText, vlanText } from '../../../datapath/key-text.ts';
import { W } from '../../../flow/key.ts';
import type { CommandParts } from './parts.ts';

const INVALID = 'Invalid argument';
const fault = (text: string, reason?: string): ConfigError =>
  new ConfigError(`ovs-vswitchd: ${text}${reason === undefined ? '' : ` (${reason})`}`);

/** Groups that a key of an Ethernet type or an IP protocol must have. */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x0800, 'ipv4'],
  [0x86dd, 'ipv6'],
  [0x0806, 'arp'],
]);
const TRANSPORT: ReadonlyMap<number, string> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

const tagText = (tag: number): string => vlanText(tag, 0xffff, true).join('');

/** The key as it was read, each group with all of its fields. */
function keyText({ key, groups }: ParsedKey, port: (port: number) => string): string {
  const mask = new Uint32Array(key.length).fill(0xffffffff);
  mask[W.IPV6_LABEL] = 0xfffff;
  const type = key[W.TYPE]! >>> 16;
  const network = NETWORK.get(type);
  let inner: string[] = groups.has('eth_type') ? [`eth_type(0x${type.toString(16).padStart(4, '0')})`] : [];
  if (network !== undefined && groups.has(network)) inner.push(...networkText(key, mask, type, true));
  if (groups.has('mpls')) {
    const lse = key[W.MPLS]!;
    inner.push(`mpls(label=${lse >>> 12},tc=${(lse >>> 9) & 7},ttl=${lse & 255},bos=${(lse >>> 8) & 1})`);
  }
  // Flags are a group of their own.
  mask[W.TOS] = groups.has('tcp_flags') ? 0xffffffff : 0xffff0000;
  if (network !== undefined && network !== 'arp') {
    inner.push(...transportText(key, mask, network === 'ipv6', true).filter((text) => groups.has(text.replace(/\(.*/, ''))));
  }
  for (const word of [W.VLAN1, W.VLAN0]) {
    const tag = key[word]!;
    if (tag !== 0) inner = [`eth_type(0x${(tag >>> 16).toString(16).padStart(4, '0')})`, tagText(tag), `encap(${inner.join(',')})`];
  }
  const before = groups.has('in_port') ? [`in_port(${port(key[W.IN_PORT]!)})`] : [];
  return [...before, ...(groups.has('eth') ? ethernetText(key, mask, true) : []), ...inner].join(',');
}

/** Whether the key says all that its types promise. */
function isComplete({ key, groups }: ParsedKey): boolean {
  const network = NETWORK.get(key[W.TYPE]! >>> 16);
  if (network === undefined) return true;
  if (!groups.has(network)) return false;
  const transport = network === 'arp' ? undefined : TRANSPORT.get(key[W.TYPE]! & 255);
  return transport === undefined || groups.has(transport);
}

/** Actions by the tags that a frame has when they run; what tags a frame is part of the place, no action of its own. */
function byTags({ key }: ParsedKey, actions: readonly DpAction[]): string {
  const tags = [key[W.VLAN0]!, key[W.VLAN1]!].filter((tag) => tag !== 0);
  const places = new Map<string, { tags: readonly number[]; actions: DpAction[] }>();
  for (const action of actions) {
    if (action.kind === 'popVlan') tags.shift();
    else if (action.kind === 'pushVlan') tags.unshift(((action.tpid << 16) | action.tci) >>> 0);
    else {
      const name = tags.join();
      const place = places.get(name) ?? { tags: [...tags], actions: [] };
      places.set(name, place);
      place.actions.push(action);
    }
  }
  if (places.size === 0) places.set('', { tags, actions: [] });
  const sorted = [...places.values()].sort((a, b) => compareTags(a.tags, b.tags));
  return sorted
    .map((place) => {
      const before = place.tags.length === 0 ? 'no vlan: ' : place.tags.map((tag) => `${tagText(tag)}: `).join('');
      return `${before}no mpls: ${formatDpActions(place.actions, { port: String })}`;
    })
    .join('');
}

function compareTags(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Registers it. */
export function registerNormalizeCommand({ unixctl }: CommandParts): void {
  unixctl.register('dpctl/normalize-actions', 'actions', 2, Number.POSITIVE_INFINITY, ([flow = '', list = '', ...names]) => {
    const ports = new Map<string, number>();
    for (const name of names) {
      // Words behind the number are no fault.
      const [, word, number = ''] = /^([^=]+)=(\d+)/.exec(name) ?? [];
      if (word === undefined) throw fault(`${name}: expected NAME=NUMBER`);
      ports.set(word, Number(number));
    }
    const parsed = parseDpKey(flow, { masked: false, vlanLimit: 2, port: (name) => ports.get(name) });
    if (typeof parsed === 'string') throw fault(`odp_flow_key_from_string (${parsed})`, INVALID);
    const byNumber = new Map([...ports].map(([name, number]) => [number, name]));
    const input = `input flow: ${keyText(parsed, (port) => byNumber.get(port) ?? String(port))}`;
    const after = (error: ConfigError): ConfigError => new ConfigError(`${input}\n${error.message}`);
    if (!isComplete(parsed)) throw after(fault('odp_flow_key_to_flow failed (reason unknown)', 'No such file or directory'));
    const actions = parseDpActions(list);
    // The reference reads no labels in text.
    if (actions === undefined || actions.some(({ kind }) => kind === 'pushMpls' || kind === 'popMpls'))
      throw after(fault('odp_actions_from_string', INVALID));
    return `${input}\n${byTags(parsed, actions)}`;
  });
}
