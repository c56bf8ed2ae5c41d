// Differences with the reference that stay, by name. Each has a rule that knows its own and nothing else: a difference that no rule knows is a
// fault of ours.
import type { Call } from './sections.ts';

interface Known {
  readonly name: string;
  /** Why it is left. */
  readonly because: string;
  readonly is: (call: Call, wanted: string, got: string) => boolean;
}

const NAMES_DATAPATH = /^(dummy|netdev|system)@/;
/** Texts without what is set of a tunnel. */
const withoutTunnels = (text: string): string => text.replaceAll(/set\(tunnel\((?:[^()]|\([^()]*(?:\([^()]*\))?[^()]*\))*\)\)/g, 'TUNNEL');

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
    is: (call, wanted) =>
      call[0] === 'dpctl/flush-conntrack' && call.some((word) => NAMES_DATAPATH.test(word)) && /missing value|tuple field/.test(wanted),
  },
  {
    name: 'a tunnel set under a mask',
    because: "the reference leaves out the tunnel's id and prints the mask behind the value",
    is: (_call, wanted, got) => wanted.includes('set(tunnel(') && withoutTunnels(wanted) === withoutTunnels(got),
  },
];

/** The name of a difference that stays; undefined when it is none of those. */
export const knownDifference = (call: Call, wanted: string, got: string): string | undefined =>
  KNOWN.find(({ is }) => is(call, wanted, got))?.name;
