// Requests of every kind as bytes, with numbers from so small a space that they meet: the same few flows, groups, meters, tables and
// ports are added, changed, looked at and taken away again. Some are spoilt.
import { ConfigError, PeerError } from '../../../src/base/errors.ts';
import { matchAll } from '../../../src/flow/key.ts';
import { encodeMessage } from '../../../src/openflow/codec/codec.ts';
import { inPortMatch } from '../../../src/openflow/codec/packet-codec.ts';
import { BUCKET, OFPG } from '../../../src/openflow/group.ts';
import type { FlowModCommand, Message, OfVersion } from '../../../src/openflow/message.ts';
import { parseActions } from '../../../src/openflow/text/action-parse.ts';
import { parseFlow } from '../../../src/openflow/text/flow-text.ts';
import { parseGroup } from '../../../src/openflow/text/group-text.ts';
import { actionsText, flowText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';
import { wireMessage } from '../sections.ts';

const ANY_PORT = 0xffff;
const LOCAL = 0xfffe;
const CONTROLLER = 0xfffd;
const NO_BUFFER = 0xffffffff;
/** Stands for the address of the port that is meant, which each side has its own of. */
export const PORT_MAC: readonly [number, number] = [0x0213, 0x57acf1d9];

const MATCHES = [
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

const port = (d: Dice): number => d.pick([1, 2, 3, LOCAL, 9, ANY_PORT, 0xfffa, 0xfffd, 0xfff8, 0, 0xff00]);
const group = (d: Dice): number => d.pick([1, 2, 3, 3, 4, OFPG.ALL, OFPG.ANY, OFPG.MAX, 0xffffff01, 0]);
const meter = (d: Dice): number => d.pick([1, 2, 3, 9, 0xffffffff, 0xfffffffe, 0xfffffffd, 0xffff0000, 0xffff0001, 0]);

function flowMod(d: Dice): Message {
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
  if (!isDelete) parts.push(`actions=${d.pick(ACTIONS)}`);
  const mod = parseFlow(parts.filter((part) => part !== '').join(','), command);
  if (d.chance(1, 20)) mod.table = d.pick([254, 255]);
  if (d.chance(1, 30)) mod.bufferId = d.below(100);
  if (d.chance(1, 20)) mod.outPort = port(d);
  if (d.chance(1, 20)) mod.outGroup = group(d);
  return mod;
}

function bucketText(d: Dice, type: string): string {
  const parts: string[] = [];
  if (type === 'ff' || d.chance(1, 8)) parts.push(d.chance(1, 3) ? `watch_group:${d.below(4)}` : `watch_port:${d.pick([1, 2, 3, 9])}`);
  if (type === 'select' && d.chance(1, 2)) parts.push(`weight:${d.below(4)}`);
  if (d.chance(1, 4)) parts.push(`bucket_id:${d.below(4)}`);
  parts.push(
    `actions=${d.pick(['output:1', 'output:2', 'group:1', 'group:2', 'group:3', 'drop', 'mod_dl_src:50:54:00:00:00:09,1', 'controller', 'dec_ttl', 'meter:1', 'resubmit(,1)', 'push_vlan:0x8100,1', 'ct(commit)'])}`,
  );
  return `bucket=${parts.join(',')}`;
}

function groupMod(d: Dice): Message {
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

function meterMod(d: Dice): Message {
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

const frame = (d: Dice): Uint8Array => {
  const hex = d.pick([
    '50540000000a505400000009080045000028000000004006668c0a0000020a000001040000500000000000000000500200000000000000000000',
    '50540000000a50540000000908004500001c00000000400166df0a0000020a0000010800f7ff00000000',
    'ffffffffffff50540000000908060001080006040001505400000009 0a000002 000000000000 0a000001'.replaceAll(' ', ''),
    '50540000000a50540000000981000005 0800 4500001c00000000010166df0a0000020a0000010800f7ff00000000'.replaceAll(' ', ''),
    '50540000000a',
    '',
  ]);
  return Uint8Array.from(Buffer.from(hex, 'hex'));
};

/** Without learn: the reference tells flow monitors of what a packet-out taught only when the next flow mod comes. */
function packetOut(d: Dice): Message {
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

const flowRequest = (d: Dice) => ({
  match: d.chance(1, 2) ? matchAll() : parseFlow(d.pick(MATCHES.filter((one) => one !== '')), 'delete').match,
  table: d.pick([0, 1, 255, 255, 255, 254, 253]),
  outPort: d.chance(3, 4) ? ANY_PORT : port(d),
  outGroup: d.chance(3, 4) ? OFPG.ANY : group(d),
  cookie: BigInt(d.below(3)),
  cookieMask: d.chance(3, 4) ? 0n : 0xffffffffffffffffn,
});

type Make = (d: Dice, version: OfVersion) => Message;

/** Requests with how often each is drawn. */
const MAKERS: readonly (readonly [number, Make])[] = [
  [30, flowMod],
  [14, groupMod],
  [8, meterMod],
  [6, packetOut],
  [4, (d) => ({ kind: 'flowStatsRequest', request: flowRequest(d) })],
  [2, (d) => ({ kind: 'flowStatsRequest', request: { ...flowRequest(d), match: matchAll(), table: 254 } })],
  [2, (d) => ({ kind: 'aggregateRequest', request: flowRequest(d) })],
  [2, (d) => ({ kind: 'groupStatsRequest', group: group(d) })],
  [2, (d) => ({ kind: 'groupDescRequest', group: group(d) })],
  [1, () => ({ kind: 'groupFeaturesRequest' })],
  [2, (d) => ({ kind: 'meterStatsRequest', meter: meter(d) })],
  [2, (d) => ({ kind: 'meterConfigRequest', meter: meter(d) })],
  [1, () => ({ kind: 'meterFeaturesRequest' })],
  [2, () => ({ kind: 'tableStatsRequest' })],
  [1, () => ({ kind: 'tableDescRequest' })],
  [1, () => ({ kind: 'descRequest' })],
  [1, (d) => ({ kind: 'portStatsRequest', port: port(d) })],
  [1, (d) => ({ kind: 'portDescRequest', port: port(d) })],
  [2, (d) => ({ kind: 'queueStatsRequest', port: port(d), queue: d.pick([0, 1, 0xffffffff]) })],
  [2, (d) => ({ kind: 'queueConfigRequest', port: port(d), queue: d.pick([0, 1, 0xffffffff]) })],
  [1, () => ({ kind: 'featuresRequest' })],
  [1, () => ({ kind: 'getConfigRequest' })],
  [2, (d) => ({ kind: 'setConfig', flags: d.pick([0, 1, 2, 3, 4, 8, 0xffff]), missSendLength: d.pick([0, 64, 128, 0xffff]) })],
  [1, () => ({ kind: 'barrierRequest' })],
  [1, (d) => ({ kind: 'echoRequest', data: d.bytes(d.below(9)) })],
  [
    3,
    (d) => ({
      kind: 'portMod',
      port: port(d),
      mac: d.chance(1, 8) ? [0, 1] : PORT_MAC,
      config: d.u32() & 0x7f,
      mask: d.pick([0x7f, 1, 0x20, 0x10, 0xffffffff, 0]),
      advertise: d.chance(3, 4) ? 0 : d.u32() & 0xff,
    }),
  ],
  [
    4,
    (d, version) => {
      const table = d.pick([0, 1, 2, 253, 254, 255]);
      if (version < 5 || d.chance(1, 4)) return { kind: 'tableMod', table, missConfig: d.below(5) };
      const evicts = d.chance(1, 2);
      const tells = d.chance(1, 2);
      return {
        kind: 'tableMod',
        table,
        missConfig: 0,
        settings: {
          ...(d.chance(3, 4) ? { evicts, evictionFlags: d.below(9) } : {}),
          ...(d.chance(3, 4) ? { tellsVacancy: tells, vacancy: { down: d.below(103), up: d.below(103), now: d.below(3) } } : {}),
        },
      };
    },
  ],
  [
    2,
    (d) => ({
      kind: 'roleRequest',
      role: d.pick(['nochange', 'equal', 'equal', 'primary', 'secondary'] as const),
      generationId: d.chance(1, 4) ? undefined : BigInt(d.below(5)),
    }),
  ],
  [1, () => ({ kind: 'getAsyncRequest' })],
  [
    2,
    (d, version) => {
      const names = ['packetIn', 'portStatus', 'flowRemoved', ...(version >= 5 ? ['roleStatus', 'tableStatus', 'requestForward'] : [])];
      const masks = new Map<string, number>();
      for (const name of names)
        for (const role of ['primary', 'secondary'])
          if (version < 5 || d.chance(2, 3)) masks.set(`${name}.${role}`, d.chance(1, 8) ? d.u32() & 0xff : d.below(64));
      return { kind: 'setAsync', masks };
    },
  ],
  [1, (d) => ({ kind: 'setPacketInFormat', format: d.below(4) })],
  [1, (d) => ({ kind: 'setFlowFormat', format: d.below(3) })],
  [1, (d) => ({ kind: 'flowModTableId', enabled: d.chance(1, 2) })],
  [1, (d) => ({ kind: 'setControllerId', controllerId: d.below(3) })],
  [
    2,
    (d) => ({
      kind: 'tlvTableMod',
      command: d.pick(['add', 'add', 'delete', 'clear'] as const),
      maps: d.some(3, () => ({
        optionClass: d.below(2),
        optionType: d.below(3),
        size: d.pick([4, 8, 124, 5, 128]),
        field: d.pick([0, 1, 2, 63, 64]),
      })),
    }),
  ],
  [1, () => ({ kind: 'tlvTableRequest' })],
  [
    3,
    (d) => ({
      kind: 'flowMonitorRequest',
      requests: [
        {
          id: d.below(4),
          flags: d.chance(1, 8) ? d.below(128) : d.below(64),
          outPort: d.chance(3, 4) ? ANY_PORT : port(d),
          outGroup: d.chance(3, 4) ? OFPG.ANY : group(d),
          table: d.pick([255, 255, 0, 1, 254]),
          command: d.pick(['add', 'add', 'modify', 'delete'] as const),
          match: d.chance(2, 3) ? matchAll() : parseFlow(d.pick(MATCHES.filter((one) => one !== '')), 'delete').match,
        },
      ],
    }),
  ],
  [1, (d) => ({ kind: 'flowMonitorCancel', id: d.below(4) })],
  [1, (d) => ({ kind: 'ctFlushZone', zone: d.below(4) })],
];

const TOTAL = MAKERS.reduce((sum, [weight]) => sum + weight, 0);

function draw(d: Dice): Make {
  let at = d.below(TOTAL);
  for (const [weight, make] of MAKERS) {
    if (at < weight) return make;
    at -= weight;
  }
  return flowMod;
}

/** Changes some bytes behind the header, now and then the length, which the header follows. */
function spoilt(d: Dice, bytes: Uint8Array): Uint8Array {
  let made = bytes.slice();
  if (d.chance(1, 4)) {
    const size = Math.max(8, bytes.length + d.pick([-8, -4, -1, 1, 4, 8, 16]));
    made = new Uint8Array(size);
    made.set(bytes.subarray(0, size));
    new DataView(made.buffer).setUint16(2, size);
  }
  for (let i = d.below(3); i > 0 && made.length > 8; i--) {
    const at = 8 + d.below(made.length - 8);
    made[at] = d.pick([0, 1, 0xff, made[at]! ^ (1 << d.below(8)), d.u32() & 0xff]);
  }
  return made;
}

/** A request as a message of a version; draws again until one can be said in it. */
export function plainRequest(d: Dice, version: OfVersion, xid: number): Uint8Array {
  for (;;) {
    try {
      return encodeMessage(version, xid, draw(d)(d, version), { nxFlows: version === 1 ? d.chance(1, 2) : false });
    } catch (error) {
      if (!(error instanceof PeerError) && !(error instanceof ConfigError)) throw error;
    }
  }
}

/** A bundle from its opening to its end, with faults now and then at every place. */
function bundle(d: Dice, version: OfVersion, xid: number): Uint8Array[] {
  const bundleId = d.below(3);
  const flags = d.pick([0, 1, 2, 3, 3, 4]);
  const control = (type: number, more = 0): Uint8Array =>
    encodeMessage(version, xid, { kind: 'bundleControl', bundleId, type: type as 0, flags: flags ^ more });
  const out: Uint8Array[] = [];
  if (!d.chance(1, 12)) out.push(control(0));
  for (let i = d.below(5); i > 0; i--) {
    let inner: Uint8Array | undefined;
    for (let tries = 0; inner === undefined && tries < 20; tries++) {
      try {
        const make = d.pick([flowMod, flowMod, flowMod, groupMod, packetOut, d.chance(1, 6) ? draw(d) : flowMod]);
        inner = encodeMessage(
          d.chance(1, 30) ? (((version % 6) + 1) as OfVersion) : version,
          d.chance(1, 30) ? xid + 9 : xid,
          make(d, version),
        );
      } catch (error) {
        if (!(error instanceof PeerError) && !(error instanceof ConfigError)) throw error;
      }
    }
    if (inner === undefined) continue;
    if (d.chance(1, 15)) inner = spoilt(d, inner);
    out.push(encodeMessage(version, xid, { kind: 'bundleAdd', bundleId, flags: flags ^ (d.chance(1, 20) ? 1 : 0), inner }));
  }
  if (d.chance(1, 4)) out.push(control(2));
  out.push(control(d.pick([4, 4, 4, 6, 0, 2, 1, 8]), d.chance(1, 20) ? 1 : 0));
  return out;
}

/** One or more messages of one transaction. */
export function requests(d: Dice, version: OfVersion, xid: number, faults: number): Uint8Array[] {
  if (version !== 2 && version !== 3 && version !== 1 && d.chance(1, 12)) return bundle(d, version, xid);
  if (d.chance(faults, 12)) {
    const bytes = Uint8Array.from(Buffer.from(wireMessage(d), 'hex'));
    const view = new DataView(bytes.buffer);
    if (!d.chance(1, 20)) bytes[0] = version;
    view.setUint32(4, xid);
    view.setUint16(2, bytes.length);
    return [bytes];
  }
  const bytes = plainRequest(d, version, xid);
  return [d.chance(faults, 6) ? spoilt(d, bytes) : bytes];
}
