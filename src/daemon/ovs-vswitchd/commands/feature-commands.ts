// Control commands about what a datapath can do: dpif/show-dp-features, dpif/set-dp-features. Text as in the running reference.
import { ConfigError } from '../../../base/errors.ts';
import type { Datapath } from '../../../datapath/datapath.ts';
import { isSystem } from './datapath-names.ts';
import { bridgeNamed, type CommandParts } from './parts.ts';

/** A feature's name for `set-dp-features`, its words, and its value in user space, with that of the system datapath where it differs. */
type Feature = readonly [name: string, words: string, value: boolean | number, system?: boolean | number];

const FEATURES: readonly Feature[] = [
  ['masked_set_action', 'Masked set action', true],
  ['tnl_push_pop', 'Tunnel push pop', true],
  ['ufid', 'Ufid', true],
  ['trunc', 'Truncate action', true],
  ['clone', 'Clone action', true],
  ['sample_nesting', 'Sample nesting', 10],
  ['ct_eventmask', 'Conntrack eventmask', true, false],
  ['ct_clear', 'Conntrack clear', true],
  ['max_hash_alg', 'Max dp_hash algorithm', 1],
  ['check_pkt_len', 'Check pkt length action', true],
  ['ct_timeout', 'Conntrack timeout policy', true, false],
  ['explicit_drop_action', 'Explicit Drop action', true],
  ['lb_output_action', 'Optimized Balance TCP mode', true, false],
  ['ct_zero_snat', 'Conntrack all-zero IP SNAT', true],
  ['add_mpls', 'MPLS Label add', true],
  ['max_vlan_headers', 'Max VLAN headers', 1, 2],
  ['max_mpls_depth', 'Max MPLS depth', 3],
  ['recirc', 'Recirc', true],
  ['ct_state', 'CT state', true],
  ['ct_zone', 'CT zone', true],
  ['ct_mark', 'CT mark', true],
  ['ct_label', 'CT label', true],
  ['ct_state_nat', 'CT state NAT', true],
  ['ct_orig_tuple', 'CT orig tuple', true],
  ['ct_orig_tuple6', 'CT orig tuple for IPv6', true],
  ['nd_ext', 'IPv6 ND Extension', true],
];

/** The order in which `set-dp-features` lists them: that of a hash table. */
const LISTED =
  'sample_nesting clone ufid lb_output_action nd_ext ct_orig_tuple tnl_push_pop ct_eventmask ct_state ct_zero_snat ct_clear max_vlan_headers recirc ct_label max_hash_alg add_mpls ct_state_nat ct_timeout explicit_drop_action ct_mark ct_orig_tuple6 max_mpls_depth masked_set_action check_pkt_len ct_zone trunc'.split(
    ' ',
  );

const BY_NAME = new Map(FEATURES.map((feature) => [feature[0], feature]));

const bootValue = ([, , value, system]: Feature, datapath: Datapath): boolean | number => (isSystem(datapath) ? (system ?? value) : value);

/** What the kernel's part of a datapath does, and why what it does not do is left to user space. */
function offloadLines(datapath: Datapath): string[] {
  if (!isSystem(datapath)) return [];
  const offload = datapath.offload?.();
  if (offload === undefined) return ['eBPF: No'];
  const { flows, masks, programs, punted, refused } = offload;
  const reasons = [...refused].map(([reason, count]) => `${reason}:${count}`);
  return [
    'eBPF: Yes',
    `eBPF flows: ${flows}, masks: ${masks}, programs so far: ${programs}`,
    `eBPF frames to user space: miss:${punted.miss} headers:${punted.unusual} actions:${punted.actions} order:${punted.order}`,
    `eBPF flows left to user space: ${reasons.length === 0 ? 'none' : reasons.join(' ')}`,
  ];
}

function show(datapath: Datapath): string {
  const lines = FEATURES.map((feature) => {
    const value = bootValue(feature, datapath);
    return `${feature[1]}: ${value === true ? 'Yes' : value === false ? 'No' : value}`;
  });
  return [...lines, ...offloadLines(datapath)].join('\n');
}

/** Registers them. */
export function registerFeatureCommands({ unixctl, host }: CommandParts): void {
  /** What was set by command, by datapath; it is shown and forgotten with the daemon. */
  const changed = new WeakMap<Datapath, Map<string, boolean | number>>();
  const line = (name: string, datapath: Datapath): string => {
    const feature = BY_NAME.get(name);
    if (feature === undefined) throw new ConfigError('Unexpected support field');
    const boot = bootValue(feature, datapath);
    return `${name} (${feature[1]}) : [run time]:${changed.get(datapath)?.get(name) ?? boot}, [boot time]:${boot}`;
  };
  unixctl.register('dpif/show-dp-features', 'bridge', 1, 1, ([name]) => show(bridgeNamed(host, name).datapath));
  unixctl.register('dpif/set-dp-features', 'bridge', 1, 3, ([bridge, name, text]) => {
    const { datapath } = bridgeNamed(host, bridge);
    if (name === undefined) return LISTED.map((one) => line(one, datapath)).join('\n');
    const feature = BY_NAME.get(name);
    // The reference answers these faults as it answers success.
    if (feature === undefined) return 'Unexpected support field';
    if (text === undefined) return line(name, datapath);
    const boot = bootValue(feature, datapath);
    let value: boolean | number;
    if (typeof boot === 'boolean') {
      if (!/^(true|false)$/i.test(text)) return 'Boolean value expected';
      value = text.toLowerCase() === 'true';
      if (value && !boot) return 'Can not enable features not supported by the datapath';
    } else {
      value = Number(text);
      if (!Number.isInteger(value) || value < 0) return 'Integer number expected';
      if (value > boot) return 'Can not set value beyond the datapath capability';
    }
    const known = changed.get(datapath) ?? new Map<string, boolean | number>();
    changed.set(datapath, known.set(name, value));
    return '';
  });
}
