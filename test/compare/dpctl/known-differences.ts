// Differences with the reference that stay, by name. Each has a rule that knows its own and nothing else: a difference that no rule knows is a
// fault of ours.
import type { Call } from './sections.ts';

interface Known {
  readonly name: string;
  /** Why it is left. */
  readonly because: string;
  readonly is: (call: Call, wanted: string, got: string) => boolean;
}

const DATAPATH = 'dummy@ovs-dummy';
const NAMES_DATAPATH = /^(dummy|netdev|system)@/;
/** Texts without what is set of a tunnel. */
const withoutTunnels = (text: string): string => text.replaceAll(/set\(tunnel\((?:[^()]|\([^()]*(?:\([^()]*\))?[^()]*\))*\)\)/g, 'TUNNEL');

const isTrace = (call: Call): boolean => call[0]?.startsWith('ofproto/trace') === true;
const MEGAFLOW = /^Megaflow: .*$/gm;
const ACTIONS = /^Datapath actions: .*$/gm;
/** Whether two traces are the same but for lines of that kind. */
const tracesDifferIn = (line: RegExp, call: Call, wanted: string, got: string): boolean =>
  isTrace(call) && wanted.replaceAll(line, '') === got.replaceAll(line, '');

export const KNOWN: readonly Known[] = [
  {
    name: 'a filter of dl_vlan=0',
    because: 'the reference then lists nothing, not even flows whose tag has the number 0; ours lists those',
    is: (call) => call[0] === 'dpctl/dump-flows' && call.some((word) => /^filter=(.*[, ])?dl_vlan=0([, ]|$)/.test(word)),
  },
  {
    name: 'a datapath before flush-conntrack',
    because:
      'the manual has it, and the reference takes every first word for a zone or a tuple; ours takes a name that a datapath has for one',
    is: (call, wanted, got) =>
      call[0] === 'dpctl/flush-conntrack' &&
      (call.some((word) => NAMES_DATAPATH.test(word)) || got.includes('datapath not found')) &&
      /missing value|tuple field/.test(wanted),
  },
  {
    name: 'a tunnel set under a mask',
    because: "the reference leaves out the tunnel's id and prints the mask behind the value",
    is: (_call, wanted, got) => wanted.includes('set(tunnel(') && withoutTunnels(wanted) === withoutTunnels(got),
  },
  {
    name: 'what a hash reads of no IP',
    because: 'the reference chooses by the Ethernet header and does not say so in the megaflow; ours does',
    is: (call, wanted, got) => tracesDifferIn(MEGAFLOW, call, wanted, got) && call.some((word) => /symmetric_l3l4/.test(word)),
  },
  {
    name: 'what a part of a field reads',
    because:
      'push, zone=FIELD, pop_mpls, bundles and tags: the reference marks the field where ours marks the bits that are read, or marks less',
    is: (call, wanted, got) =>
      tracesDifferIn(MEGAFLOW, call, wanted, got) && /\bpush:|zone=[a-zA-Z]|pop_mpls|bundle_load|multipath|strip_vlan/.test(call.join(' ')),
  },
  {
    name: 'a TCI without the bit of a tag',
    because: 'no frame has it',
    is: (call, wanted, got) =>
      tracesDifferIn(MEGAFLOW, call, wanted, got) && call.some((word) => /vlan_tci=(?!0x[13579bdf][0-9a-f]{3}\b)/.test(word)),
  },
  {
    name: 'the priority of a tag without a VLAN',
    because: 'ours reads it, for what is left of such a tag depends on it',
    is: (call, wanted, got) =>
      isTrace(call) && got.includes('dl_vlan=0,dl_vlan_pcp=') && wanted === got.replaceAll(/(Megaflow:.*dl_vlan=0),dl_vlan_pcp=\d/g, '$1'),
  },
  {
    name: 'a type of a tag without a tag',
    because: 'no frame has it; the reference then says that there is no tag',
    is: (call, wanted, got) =>
      tracesDifferIn(MEGAFLOW, call, wanted, got) && call.some((word) => /eth_type\((0x8100|0x88a8|33024|34984)\)(?!,vlan\()/.test(word)),
  },
  {
    name: 'an ICMP code of more than 8 bits',
    because: 'the reference keeps the 16 bits of a port that is set for it',
    is: (call, wanted) => isTrace(call) && /icmp_(code|type)=(?!(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\b)/.test(wanted),
  },
  {
    name: 'a packet-out that pauses',
    because: "the reference's trace then shows no send",
    is: (call, wanted, got) =>
      call[0] === 'ofproto/trace-packet-out' &&
      /controller\([^)]*pause/.test(call.at(-1) ?? '') &&
      tracesDifferIn(ACTIONS, call, wanted, got),
  },
  {
    name: 'a packet type that says more than dl_type does',
    because: 'the reference shows the flow as it was given, and the first packet of no connection',
    is: (call, wanted, got) => tracesDifferIn(/^Flow: .*$/gm, call, wanted, got) && /packet_type=\([12],0x/.test(call.join(' ')),
  },
  {
    name: 'ports of a bridge by command',
    because: "a bridge's ports are those of the database; ours says so",
    is: (call, _wanted, got) => /^dpctl\/(add|del)-if$/.test(call[0] ?? '') && got.includes('(Operation not permitted)'),
  },
  {
    name: 'a datapath without a name',
    because: 'the reference makes one of `TYPE@` and calls it as it likes',
    is: (_call, wanted, got) => /^system@system:?$/m.test(wanted) && /^system@:?$/m.test(got),
  },
  {
    name: 'options in the place of words',
    because: 'where there are too few words, the reference takes options for them before it looks for the datapath',
    is: (call, wanted, got) =>
      /^dpctl\/(add|mod)-flow$/.test(call[0] ?? '') &&
      call.includes(DATAPATH) &&
      wanted.includes('parsing flow key') &&
      got.includes('datapath'),
  },
  {
    name: 'which of overlapping flows a change meets',
    because: "the order of the reference's hash table",
    is: (call, wanted, got) =>
      call[0] === 'dpctl/dump-flows' && wanted.replaceAll(/actions:.*$/gm, '') === got.replaceAll(/actions:.*$/gm, '') && wanted !== got,
  },
];

/** The name of a difference that stays; undefined when it is none of those. */
export const knownDifference = (call: Call, wanted: string, got: string): string | undefined =>
  KNOWN.find(({ is }) => is(call, wanted, got))?.name;
