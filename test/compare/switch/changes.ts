// Messages that change a switch's tables, or send frames through them, with numbers from so small a space that they meet.

import { inPortMatch } from '../../../src/openflow/codec/packet-codec.ts';
import { BUCKET, OFPG } from '../../../src/openflow/group.ts';
import type { FlowModCommand, Message } from '../../../src/openflow/message.ts';
import { parseActions } from '../../../src/openflow/text/action-parse.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import { parseGroup } from '../../../src/openflow/text/group-text.ts';
import { actionsText, flowText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';

const ANY_PORT = 0xffff;
const LOCAL = 0xfffe;
const CONTROLLER = 0xfffd;
const NO_BUFFER = 0xffffffff;

export const MATCHES = [
  '',
  'in_port=1',
  'in_port=2',
  'ip',
  'tcp',
  'udp',
  'arp',
  'tcp,tp_dst=80',
  'ip,nw_src=10.0.0.0/8',
  'ip,nw_dst=10.0.0.1',
  'dl_vlan=5',
  'dl_src=50:54:00:00:00:01',
  'ipv6',
  'icmp,icmp_type=8',
  'in_port=1,ip',
  'reg0=1',
  'metadata=5',
  'tun_id=3',
  'ct_state=+trk',
  'ip,nw_tos=32',
  'mpls,mpls_label=5',
  'dl_type=0x88cc',
  'arp,arp_op=1',
  'tcp,tcp_flags=+syn',
  'vlan_tci=0x1000/0x1000',
];
const ACTIONS = [
  'drop',
  'output:1',
  'output:2',
  '1,2',
  'NORMAL',
  'FLOOD',
  'in_port',
  'controller',
  'controller:64',
  'group:1',
  'group:2',
  'group:3',
  'meter:1,output:1',
  'meter:2,output:1',
  'goto_table:1',
  'goto_table:2',
  'write_actions(output:2)',
  'write_actions(group:1)',
  'write_metadata:5',
  'clear_actions',
  'resubmit(,1)',
  'mod_dl_src:50:54:00:00:00:09,1',
  'set_field:5->reg0',
  'push_vlan:0x8100,1',
  'pop_vlan,1',
  'ct(commit,table=1)',
  'output:99',
  'LOCAL',
  'learn(table=1,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
  'conjunction(1,1/2)',
  'note:01.02',
  'set_queue:1,1',
  'enqueue:1:1',
  'dec_ttl',
  'mod_nw_tos:32',
  'mod_tp_dst:80',
  'set_field:10.0.0.9->ip_dst',
  'controller(userdata=01.02,pause)',
  'exit',
  'clone(output:1)',
  'output(port=1,max_len=64)',
  'sample(probability=1,collector_set_id=1)',
  'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
  'meter:9',
  'goto_table:0',
];
const FLAGS = ['send_flow_rem', 'check_overlap', 'reset_counts', 'no_packet_counts', 'no_byte_counts'];
const COMMANDS: readonly FlowModCommand[] = ['add', 'add', 'add', 'modify', 'modify_strict', 'delete', 'delete_strict'];
const TABLES = ['0', '0', '1', '2', '3', '253', '254'];

export const port = (d: Dice): number => d.pick([1, 2, 3, LOCAL, 9, ANY_PORT, 0xfffa, 0xfffd, 0xfff8, 0, 0xff00]);
export const group = (d: Dice): number => d.pick([1, 2, 3, 3, 4, OFPG.ALL, OFPG.ANY, OFPG.MAX, 0xffffff01, 0]);
export const meter = (d: Dice): number => d.pick([1, 2, 3, 9, 0xffffffff, 0xfffffffe, 0xfffffffd, 0xffff0000, 0xffff0001, 0]);

export function flowMod(d: Dice): Message {
  if (d.chance(1, 10)) return parseFlow(flowText(d, 1), d.pick(COMMANDS));
  const command = d.pick(COMMANDS);
  const isDelete = command.startsWith('delete');
  const parts = [d.pick(MATCHES), `table=${d.pick(TABLES)}`];
  if (command !== 'modify' && command !== 'delete') parts.push(`priority=${d.pick([1, 2, 32768, 65535])}`);
  if (d.chance(1, 4)) parts.push(`cookie=${d.below(3)}${command === 'add' || d.chance(1, 2) ? '' : '/-1'}`);
  if (!isDelete && d.chance(1, 3)) parts.push(d.pick(FLAGS));
  if (!isDelete && d.chance(1, 6)) parts.push(`idle_timeout=${d.below(20)}`, `hard_timeout=${d.below(20)}`);
  if (!isDelete && d.chance(1, 6)) parts.push(`importance=${d.below(4)}`);
  if (isDelete && d.chance(1, 3)) parts.push(`out_port=${d.pick([1, 2, 'LOCAL', 'CONTROLLER'])}`);
  if (isDelete && d.chance(1, 5)) parts.push(`out_group=${d.below(4)}`);
  if (!isDelete) {
    const actions = d.pick(ACTIONS);
    // Where no packet-out comes: see `packetOut`.
    if (actions.startsWith('learn')) parts.push('table=3');
    parts.push(`actions=${actions}`);
  }
  const mod = parseFlow(parts.filter((part) => part !== '').join(','), command);
  if (d.chance(1, 20)) mod.table = d.pick([254, 255]);
  if (d.chance(1, 30)) mod.bufferId = d.below(100);
  if (d.chance(1, 20)) mod.outPort = port(d);
  if (d.chance(1, 20)) mod.outGroup = group(d);
  return mod;
}

/** Without meters: to peers of OpenFlow 1.3 and 1.4 the reference describes them as instructions, where no peer looks for them. */
function bucketText(d: Dice, type: string): string {
  const parts: string[] = [];
  if (type === 'ff' || d.chance(1, 8)) parts.push(d.chance(1, 3) ? `watch_group:${d.below(4)}` : `watch_port:${d.pick([1, 2, 3, 9])}`);
  if (type === 'select' && d.chance(1, 2)) parts.push(`weight:${d.below(4)}`);
  if (d.chance(1, 4)) parts.push(`bucket_id:${d.below(4)}`);
  parts.push(
    `actions=${d.pick(['output:1', 'output:2', 'group:1', 'group:2', 'group:3', 'drop', 'mod_dl_src:50:54:00:00:00:09,1', 'controller', 'dec_ttl', 'resubmit(,1)', 'push_vlan:0x8100,1', 'ct(commit)'])}`,
  );
  return `bucket=${parts.join(',')}`;
}

export function groupMod(d: Dice): Message {
  const command = d.pick(['add', 'add', 'modify', 'add_or_mod', 'delete', 'insert_bucket', 'remove_bucket'] as const);
  const id = `group_id=${d.below(5)}`;
  if (command === 'delete' || command === 'remove_bucket') {
    const where = command === 'delete' ? '' : `,command_bucket_id=${d.pick(['all', 'first', 'last', '0', '1', '2'])}`;
    const mod = parseGroup(`${id}${where}`, command);
    if (d.chance(1, 6)) mod.group = group(d);
    return mod;
  }
  const type = d.pick(['all', 'select', 'indirect', 'ff']);
  // The reference never returns from inserting no bucket.
  const count = type === 'indirect' ? 1 : command === 'insert_bucket' ? 1 + d.below(3) : d.below(4);
  const buckets = Array.from({ length: count }, () => bucketText(d, type));
  const where = command === 'insert_bucket' ? `,command_bucket_id=${d.pick(['first', 'last', '0', '1', '2'])}` : '';
  const how =
    command !== 'insert_bucket' && d.chance(1, 6)
      ? d.pick([
          ',selection_method=hash,fields(ip_src)',
          ',selection_method=dp_hash',
          ',selection_method=hash',
          ',selection_method=foo',
          ',selection_method=dp_hash,selection_method_param=7',
        ])
      : '';
  const mod = parseGroup([`${id}${command === 'insert_bucket' ? '' : `,type=${type}`}${how}${where}`, ...buckets].join(','), command);
  if (d.chance(1, 12)) mod.group = group(d);
  if (d.chance(1, 20)) mod.commandBucket = d.pick([BUCKET.ALL, BUCKET.MAX, 0xffffff01, 1, BUCKET.FIRST]);
  return mod;
}

export function meterMod(d: Dice): Message {
  const command = d.pick(['add', 'add', 'modify', 'delete'] as const);
  const bands = Array.from({ length: d.below(4) }, () => {
    const kind = d.chance(1, 5) ? 'dscp_remark' : 'drop';
    return { kind, rate: d.pick([0, 1, 1000]), burstSize: d.pick([0, 0, 5]), precLevel: kind === 'drop' ? 0 : d.below(3) } as const;
  });
  return {
    kind: 'meterMod',
    command,
    config: { meter: meter(d), flags: d.chance(3, 4) ? d.pick([1, 2, 5, 9, 13]) : d.below(20), bands: command === 'delete' ? [] : bands },
  };
}

export const frame = (d: Dice): Uint8Array => {
  const hex = d.pick([
    '50540000000a505400000009080045000028000000004006668c0a0000020a000001040000500000000000000000500200000000000000000000',
    '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000',
    'ffffffffffff50540000000908060001080006040001505400000009 0a000002 000000000000 0a000001'.replaceAll(' ', ''),
    '50540000000a50540000000981000005 0800 4500001c00000000010166df0a0000020a0000010800f7ff00000000'.replaceAll(' ', ''),
    // TCP from 10.0.0.3 to 10.0.0.1 port 80 with SYN, TOS 32; UDP; IPv6 with UDP; a label with IPv4 inside.
    '50540000000a5054000000010800452000280000000040066 66b0a0000030a000001040100500000000000000000500200000000000000000000'.replaceAll(
      ' ',
      '',
    ),
    '50540000000150540000000908004500001c00000000401166cf0a0000020a0000010035003500080000',
    '50540000000a50540000000986dd60000000000811400000000000000000000000000000000100000000000000000000000000000002003500350008abcd',
    '50540000000a5054000000098847000051404500001c00000000400166df0a0000020a0000010800f7ff00000000',
    '50540000000a',
    '',
  ]);
  return Uint8Array.from(Buffer.from(hex, 'hex'));
};

/** Without learn: the reference tells flow monitors of what a packet-out taught only when the next flow mod comes. */
export function packetOut(d: Dice): Message {
  const actions = parseActions(
    d.chance(1, 10) ? actionsText(d) : d.pick(ACTIONS.filter((one) => !/goto|write_|clear_|^drop|^meter|^learn/.test(one))),
  );
  return {
    kind: 'packetOut',
    bufferId: d.chance(1, 12) ? d.below(9) : NO_BUFFER,
    match: inPortMatch(d.chance(1, 2) ? 1 : d.pick([2, LOCAL, CONTROLLER, ANY_PORT, 9, 0xfff8, 0xff00, 0])),
    actions: d.chance(1, 8) ? parseActions('TABLE') : actions,
    data: frame(d),
  };
}
