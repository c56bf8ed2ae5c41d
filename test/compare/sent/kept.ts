// Command lines that once differed from the reference's, before a switch that listens.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowStats } from '../../../src/openflow/message.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import type { SentCase } from './run.ts';

/** A flow of a switch, from its text. */
const flowOf = (text: string): FlowStats => {
  const { match, priority, flags, actions } = parseFlow(text, 'add');
  const times = { durationSec: 1, durationNsec: 2, idleTimeoutSec: 0, hardTimeoutSec: 0, idleAgeSec: -1, hardAgeSec: -1 };
  return { match, priority, flags, actions, ...times, cookie: 0n, table: 0, importance: 0, packetCount: 1n, byteCount: 2n };
};

const line = (words: string, peer: SentCase['peer'] = {}): SentCase => ({ args: words.split(' '), peer });
const file = (words: string, content: string, peer: SentCase['peer'] = {}): SentCase => ({ ...line(words, peer), file: content });

const MOD_TABLE = ['evict', 'noevict', 'continue'].flatMap((setting) =>
  ['all', '255', ' 7', '+7', '7'].map((table) => ({ args: ['-O', 'OpenFlow14', 'mod-table', 'SWITCH', table, setting] })),
);

/** Values that do not fit, each told as its field has it written. */
const LOADS = (
  '0x5f->tun_erspan_dir[] 300->reg0[0..3] 300->ct_state[0..3] 300->eth_src[0..3] 300->nw_src[0..3] 300->tcp_flags[0..3] ' +
  '300->ipv6_src[0..3] 30->packet_type[0..3] 255->nw_tos[0..3]'
).split(' ');

/** Ranges of addresses as scanf reads them. */
const RANGES = '1.2.3.4-5.6.7.300 1.2.3.300 1.2.3.4-+5.6.7.8 1.2.3.-4 [::1]-::2 ::1-[::2]:3 [::1]-[::2]:3 1.2.3.4-5.6.7.x +1.2.3.4'.split(
  ' ',
);

/** Masks of IPv6 addresses that are none, or just so. */
const MASKS = '::1/x,::1/-1,::1/+64,::1/-0,::1/4294967300,::1/ffff::),::1/:),::1/ 64,::1/,::1//64'.split(',');

/** What is told first of a port that there is not and a version that is not shared, and when a name is looked up. */
const PORT_COMMANDS = ['queue-get-config', 'dump-ports', 'queue-stats', 'dump-ports-desc'].flatMap((command) =>
  ['70000', 'p1'].flatMap((port) =>
    [[], ['--no-names']].flatMap((words) =>
      [{}, { versions: 1 << 6 }].map((peer): SentCase => ({ args: [...words, '-O', 'OpenFlow13', command, 'SWITCH', port], peer })),
    ),
  ),
);

/** `kept-lines.txt`: command lines with `~` for blanks in words, ` %% ` and the switch's flows between semicolons, ` << ` and a line of standard input, ` @@ ` and a file. */
const lines = (): SentCase[] =>
  readFileSync(join(import.meta.dirname, 'kept-lines.txt'), 'utf8')
    .trim()
    .split('\n')
    .map((text) => {
      const [before = '', content] = text.split(' @@ ');
      const [told = '', input] = before.split(' << ');
      const [words = '', flows] = told.split(' %% ');
      return {
        args: words.split(' ').map((word) => word.replaceAll('~', ' ')),
        peer: flows === undefined ? {} : { flows: flows.split(';').map(flowOf) },
        ...(input === undefined ? {} : { stdin: `${input}\n` }),
        ...(content === undefined ? {} : { file: content.replaceAll('\\n', '\n') }),
      };
    });

/** Actions as bytes: loads of parts of options, and outputs of fields in the later form. */
const ACTIONS = [
  'ffff0018000023200007000700016f010000000000000020',
  'ffff001800002320000701c700016f010000000000000020',
  'ffff0018000023200020008a000080003410000000000000',
  'ffff0018000023200020008a000000012610000000000000',
  'ffff00180000232000200005000000010004000000000000',
];
/** A move whose second header ends after its first half. */
const CUT = 'ffff001800002320000600000000000000013e04ffff2005001200180000000b0001dc10b2d30009000f000000020000\n';
/** Entries of which a tag's priority is all that is said of Ethernet. */
const ENTRIES = 'NXM_OF_VLAN_TCI_W(0000/2000), NXM_NX_TUN_IPV4_DST(a900ffdb)\n';

export const KEPT: readonly SentCase[] = [
  ...lines(),
  { args: ['parse-actions', 'OpenFlow12'], stdin: CUT },
  ...[['parse-nxm'], ['parse-oxm', 'OpenFlow14']].map((command) => ({ args: ['--strict', ...command], stdin: ENTRIES })),
  ...['OpenFlow10', 'OpenFlow13', 'OpenFlow15'].map((version) => ({ args: ['parse-actions', version], stdin: `${ACTIONS.join('\n')}\n` })),
  // With table ids OpenFlow 1.0 says of a flow that it names no table.
  line('-F NXM+table_id add-flow SWITCH reg0=1,actions=1'),
  file('-O OpenFlow10 add-flows SWITCH FILE', 'actions=1\ntable=3,actions=2\n'),
  line('-F NXM+table_id parse-flow actions=drop'),
  line('-F OpenFlow10+table_id parse-flow actions=drop'),
  line('parse-flow actions=conjunction(1,1/2),pop_vlan'),
  // A masked VLAN id takes the place of the whole one, and of the tag's presence.
  line('-O OpenFlow13 add-flow SWITCH dl_vlan=5,vlan_vid=543/4093,actions=drop'),
  line('-O OpenFlow13 add-flow SWITCH vlan_pcp=5,vlan_vid=543/4093,actions=drop'),
  line('-O OpenFlow13 add-flow SWITCH vlan_vid=0x1005,vlan_vid=0x1000/0x1000,actions=drop'),
  line('-O OpenFlow13 dump-flows SWITCH ct_nw_dst=1.2.3.4,packet_type=(0,0)'),
  line('-O OpenFlow13 dump-flows SWITCH ct_nw_dst=1.2.3.4,nw_src=1.2.3.4'),
  // What goes of a table is told without flags.
  file('-O OpenFlow13 replace-flows SWITCH FILE', 'send_flow_rem,actions=1\n', {
    flows: [flowOf('reg0=1,send_flow_rem,actions=drop')],
  }),
  // Names that two ports have name neither.
  line('--names dump-flows SWITCH', { flows: [flowOf('actset_output=7,actions=output:6,output:3')] }),
  // A monitor that is refused is told by the names that are known already.
  line('--names -O OpenFlow15 monitor SWITCH watch:table=210', { says: [] }),
  // A tag's number is sorted with there being a tag.
  ...['sort', 'rsort'].map((option) =>
    line(`--${option}=vlan_vid -O OpenFlow13 dump-flows SWITCH`, {
      flows: ['dl_vlan_pcp=2', 'dl_vlan=3', 'vlan_tci=0/0x1000', 'vlan_tci=5/0xf', 'in_port=1'].map((match) =>
        flowOf(`${match},actions=drop`),
      ),
    }),
  ),
  line('-O OpenFlow13 ct-flush SWITCH ct_nw_dst=1.2.3.4,ct_ipv6_dst=::1'),
  line('-O OpenFlow13 ct-flush SWITCH ct_nw_dst=1.2.3.4,ct_ipv6_src=x'),
  line('-O OpenFlow13 ct-flush SWITCH ct_nw_dst=1.2.3.4,ct_nw_dst=x'),
  line('-O OpenFlow13 ct-flush SWITCH ct_nw_dst=x,ct_ipv6_dst=::1'),
  ...MOD_TABLE,
  ...PORT_COMMANDS,
  line('-O OpenFlow14 mod-table SWITCH all evict', { refuseAfter: 2 }),
  ...['OpenFlow10', 'OpenFlow13', 'OpenFlow14'].flatMap((version) =>
    ['', ' a-b', ' any', ' 7'].map((port) => line(`--names -O ${version} queue-get-config SWITCH${port}`)),
  ),
  line('--color=always dump-flows SWITCH', {
    flows: [flowOf('ip,priority=4,actions=ct(commit,exec(set_field:1->ct_mark)),learn(table=1)')],
  }),
  file('--color=always diff-flows SWITCH FILE', 'ip,actions=drop\n', { flows: [flowOf('actions=1')] }),
  ...['', 'yes', 'NONE', 'if-tty', 'what'].map((when) => line(`--color=${when} parse-flow actions=drop`)),
  line('--color=always parse-flow actions=controller'),
  line('--color=never --color parse-flow actions=drop'),
  ...LOADS.map((load) => line(`parse-flow tcp,actions=load:${load}`)),
  ...MASKS.map((mask) => ({ args: ['parse-flow', `tun_ipv6_dst=${mask},actions=drop`] })),
  ...RANGES.map((range) => line(`parse-flow ip,actions=ct(commit,nat(src=${range}))`)),
  line('packet-out SWITCH 70000 drop 000000000001000000000002080000000000'),
  line('-O OpenFlow15 add-flow SWITCH tun_metadata60=2/0xffffffff,in_port=1,actions=drop'),
  ...['action', 'actions,3', 'action =1', 'xactions=1'].map((end) => ({
    args: ['packet-out', 'SWITCH', `in_port=1,packet=000000000001000000000002080000000000,${end}`],
  })),
  line('-O OpenFlow15 dump-flows SWITCH tcp,packet_type=(1,0x800),eth_dst=4c:c7:33:e7:fa:87'),
  line('-O OpenFlow15 dump-aggregate SWITCH packet_type=(1,0x800),eth_dst=4c:c7:33:e7:fa:87'),
  // The message that is refused is told whole, however little of it came back.
  file('-O OpenFlow13 bundle SWITCH FILE', 'flow reg0=1,actions=1,2,3,4,5,6,7,8\n', { refuseAfter: 0 }),
];
