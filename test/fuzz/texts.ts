// Hostile text for every parser of words that a user or a file gives: groups, meters, packet-outs, datapath keys and actions, names of connections,
// command lines, options of tunnels, log patterns, labs.
import assert from 'node:assert/strict';
import { parseOptions } from '../../src/base/getopt.ts';
import { LogSettings } from '../../src/base/log-levels.ts';
import { formatLogLine } from '../../src/base/log-pattern.ts';
import { parseCtFlush } from '../../src/cli/ofctl/ct-flush-text.ts';
import { parseWatch } from '../../src/cli/ofctl/watch-text.ts';
import { checkAddress } from '../../src/cli/ovsdb-tool/cluster.ts';
import { parseCommandLine } from '../../src/cli/vsctl/command-line.ts';
import { parseCtTuple } from '../../src/daemon/ovs-vswitchd/commands/conntrack-commands.ts';
import { flowFilter } from '../../src/daemon/ovs-vswitchd/commands/flow-filter.ts';
import { parseRelay } from '../../src/daemon/ovsdb-server/relay.ts';
import { BACKGROUND_OPTIONS, DAEMON_OPTIONS, LOG_OPTIONS, SSL_OPTIONS } from '../../src/daemon/plumbing/options.ts';
import { checkPatch, checkTunnel } from '../../src/daemon/reconcile/tunnel.ts';
import { parseDpActions } from '../../src/datapath/action-parse.ts';
import { formatDpActions } from '../../src/datapath/action-text.ts';
import { frameKeyOf, withoutMasks } from '../../src/datapath/key-frame.ts';
import { parseDpKey } from '../../src/datapath/key-parse.ts';
import { formatDpKey } from '../../src/datapath/key-text.ts';
import { composeFrame } from '../../src/flow/compose.ts';
import { internetAddress } from '../../src/host/sockets/socket-address.ts';
import { parseSocketTarget, withDefaultPort } from '../../src/host/sockets/socket-target.ts';
import { namedVersions } from '../../src/host/sockets/tls-keys.ts';
import { parseLab } from '../../src/lab/lab-file.ts';
import type { GroupCommand } from '../../src/openflow/group.ts';
import { parseExactFlow } from '../../src/openflow/text/exact-flow-text.ts';
import { formatGroupMod, parseGroup } from '../../src/openflow/text/group-text.ts';
import { formatMeterMod, parseMeter } from '../../src/openflow/text/meter-text.ts';
import { parsePacketOut } from '../../src/openflow/text/packet-out-text.ts';
import { parseTunnelOptions } from '../../src/switch/translate/tunnel-config.ts';
import { matchText, spoil } from '../compare/flow-lines.ts';
import type { Dice } from '../compare/random.ts';
import { filterText, flushWords, meterText, packetOutText } from '../compare/sent/command-lines.ts';
import { type GroupVerb, groupText } from '../compare/sent/group-lines.ts';
import type { Target } from './runner.ts';

/** A text with up to three things wrong, or none. */
function hostile(d: Dice, text: string): string {
  let spoilt = text;
  for (let i = d.below(4); i > 0; i--) spoilt = spoil(d, spoilt === '' ? ' ' : spoilt);
  return spoilt;
}

/** One of the samples, or a piece of one behind a piece of another. */
function sample(d: Dice, samples: readonly string[]): string {
  const one = d.pick(samples);
  if (d.chance(2, 3)) return hostile(d, one);
  const other = d.pick(samples);
  return hostile(d, one.slice(0, d.below(one.length + 1)) + other.slice(d.below(other.length + 1)));
}

const names = { number: (name: string) => (name === 'p1' ? 1 : undefined) };
const GROUP_VERBS: readonly (readonly [GroupVerb, GroupCommand])[] = [
  ['add', 'add'],
  ['mod', 'modify'],
  ['insert', 'insert_bucket'],
  ['remove', 'remove_bucket'],
  ['delete', 'delete'],
];

const KEYS = [
  'recirc_id(0),in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=10.0.0.2/255.0.0.0,dst=10.0.0.1,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=2/0xff),tcp_flags(0x2/0x7)',
  'in_port(p1),skb_mark(0x1/0x3),ct_state(+trk-new),ct_zone(0x5),ct_label(0x1/0xff),eth(),eth_type(0x8100),vlan(vid=9,pcp=3),encap(eth_type(0x86dd),ipv6(src=fe80::1/ffff::,dst=fe80::2,label=0,proto=58,tclass=0,hlimit=2,frag=first),icmpv6(type=135,code=0),nd(target=fe80::5,sll=02:00:00:00:00:01))',
  'tunnel(tun_id=0x7/0xff,src=1.2.3.4,dst=5.6.7.8,tos=0,ttl=64,tp_src=1,tp_dst=6081,geneve({class=0x102,type=0x80,len=4,0xa/0xf}),flags(-df+csum+key)),in_port(1),eth_type(0x8847),mpls(label=5,tc=1,ttl=4,bos=1)',
  'in_port(1),packet_type(ns=1,id=0x894f),nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x5,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)',
  'in_port(1),eth_type(0x0806),arp(sip=10.0.0.2,tip=10.0.0.1,op=1,sha=50:54:00:00:00:09,tha=00:00:00:00:00:00)',
  'ufid:01234567-89ab-cdef-0123-456789abcdef,in_port(2),eth_type(0x0800),ipv4(proto=132),sctp(src=5)',
];
const DP_ACTIONS = [
  'set(ipv4(src=10.9.9.9,tos=0x10/0x3)),set(tunnel(tun_id=0x7,dst=10.0.0.9,ttl=64,flags(df|csum|key))),4',
  'ct(commit,zone=5,mark=0x1/0x3,label=0x5/0xff,helper=ftp,timeout=t,nat(src=10.0.0.1-10.0.0.9:5-9,random,persistent)),recirc(7)',
  'ct(nat(dst=[fe80::1]-[fe80::9]:5-9)),push_vlan(tpid=0x88a8,vid=5,pcp=3),pop_vlan',
  'push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x5,si=255,md2=0x1000000412345678),pop_nsh(),userspace(pid=5,slow_path(cfm|bfd),actions)',
  'sample(sample=50.5%,actions(clone(1,meter(3)),trunc(100)))',
  'check_pkt_len(size=60,gt(1,2),le(drop)),add_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),lb_output(3),ct_clear',
  'tnl_push(tnl_port(4),header(size=58,type=5,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag=0x4000),udp(src=0,dst=6081,csum=0x0),geneve(vni=0x1c7,options({class=0xffff,type=0x80,len=4,0xa}))),out_port(1)),tnl_pop(4)',
];

function dpKey(d: Dice): void {
  const text = sample(d, KEYS);
  const vlanLimit = 1 + d.below(2);
  const parsed = parseDpKey(text, { masked: d.chance(1, 2), vlanLimit, port: names.number });
  if (typeof parsed === 'string') return;
  formatDpKey(parsed.key, parsed.mask, { full: d.chance(1, 2), port: String });
  const described = frameKeyOf(withoutMasks(parsed.attributes), vlanLimit);
  if (typeof described !== 'string' && d.chance(1, 4)) composeFrame(described.key, d.pick([0, 64, 1000]));
}

/** What is understood is printed as what is understood again. */
function dpActions(d: Dice): void {
  const actions = parseDpActions(sample(d, DP_ACTIONS));
  if (typeof actions === 'string') return;
  formatDpActions(actions, { port: String });
}

const CONNECTIONS = [
  'tcp:1.2.3.4:6640',
  'tcp:[fe80::1%eth0]:6640',
  'ssl:host.example:1',
  'ptcp:6640:[::]',
  'pssl:0:1.2.3.4',
  'punix:/run/x.sock',
  'unix:x',
  'relay:D:tcp:1.2.3.4:6640,unix:x',
  'ptcp::1:2',
];

function connection(d: Dice): void {
  const text = sample(d, CONNECTIONS);
  parseRelay(text);
  withDefaultPort(text, 6640);
  internetAddress(text, 5);
  if (d.chance(1, 2)) checkAddress(text);
  const target = parseSocketTarget(text, d.pick([0, 6640]));
  if (target.kind === 'unix') return;
  assert.ok(target.port >= 0 && target.port <= 65535, text);
  const bytes = internetAddress(target.host, target.port);
  assert.ok(bytes === undefined || bytes.length === 16 || bytes.length === 28);
}

const WORDS = [
  '--',
  '--may-exist',
  '--id=@x',
  '--columns=_uuid,name',
  '-t',
  '3',
  '-vfile:dbg',
  '--format=json',
  '--db=tcp:[::1]:6640',
  '--if-exists',
  '--bare',
  '--no-wait',
  'add-br',
  'br0',
  'add-port',
  'p0',
  'set',
  'bridge',
  'other_config:a="b,c"',
  'create',
  'QoS',
  'queues:0=@q',
  'add-bond',
  'get',
  'find',
  'list',
  'name=x',
  'n!=3',
  'm{<=}[1,2]',
  'wait-until',
  'clear',
  'destroy',
  'set-controller',
  'ptcp:',
  'get-ssl',
  'trunks=[1,2-5]',
  '-',
  '',
  '--all',
  '__proto__',
  'tag=1',
  '--bogus',
  'emer-reset',
  'remove',
  'comment',
];

const TUNNEL_OPTIONS: readonly [string, readonly string[]][] = [
  ['remote_ip', ['10.0.0.1', 'flow', 'fe80::1', '224.0.0.1', 'host']],
  ['local_ip', ['10.0.0.2', 'flow', 'fe80::2', '']],
  ['in_key', ['flow', '5', '0xffffffffffffffff', '-1', '99999999999999999999']],
  ['out_key', ['flow', '5', 'x']],
  ['key', ['flow', '16777216', '']],
  ['tos', ['inherit', '0x10', '256', 'x']],
  ['ttl', ['inherit', '0', '255', '-1']],
  ['dst_port', ['4789', '0', '65536', 'x']],
  ['csum', ['true', 'false', '1']],
  ['df_default', ['true', 'false']],
  ['exts', ['gbp', 'gpe', 'gbp,x', '']],
  ['packet_type', ['ptap', 'legacy_l2', 'legacy_l3', 'x']],
  ['egress_pkt_mark', ['5', '0xffffffff', 'x']],
  ['peer', ['p', '']],
  ['__proto__', ['x']],
  ['constructor', ['y']],
];

function tunnelOptions(d: Dice): void {
  const options = new Map(
    d.some(6, (): [string, string] => {
      const [name, values] = d.pick(TUNNEL_OPTIONS);
      return [d.chance(1, 10) ? hostile(d, name) : name, d.chance(1, 4) ? hostile(d, d.pick(values)) : d.pick(values)];
    }),
  );
  const type = d.pick(['gre', 'ip6gre', 'vxlan', 'geneve', 'x']);
  checkTunnel('t', type, options);
  checkPatch('t', options);
  parseTunnelOptions('t', d.pick(['gre', 'vxlan', 'geneve'] as const), options);
}

function logText(d: Dice): void {
  const settings = new LogSettings();
  settings.apply(
    sample(d, [
      'ANY:file:dbg',
      'bridge:off',
      'PATTERN:console:%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m',
      'FACILITY:daemon',
      'syslog:warn,x',
    ]),
  );
  const facts = {
    program: 'p',
    module: 'm',
    level: 'dbg' as const,
    message: 'text %m',
    serial: 3,
    wallMs: 1.7e12,
    elapsedMs: 5,
    pid: 7,
    hostname: 'h',
    subprogram: '',
    priority: 30,
  };
  for (const pattern of settings.patterns.values()) assert.ok(formatLogLine(pattern, facts).length < 100_000);
}

const LAB = `
name: small
title: a small lab
hosts:
  h: {}
machines:
  m: { host: h, tap: tap1, address: 10.0.0.1/24 }
steps:
  - title: first
    do:
      - on: h
        run: |
          # a comment
          tunctl -t tap1
      - start: m
    check:
      - ping: { from: h, to: 10.0.0.1 }
`;

export const TEXT_TARGETS: Readonly<Record<string, Target>> = {
  group: (d) => {
    const [verb, command] = d.pick(GROUP_VERBS);
    formatGroupMod(parseGroup(hostile(d, groupText(d, verb)), command, names), d.pick([1, 2, 3, 4, 5, 6] as const), {});
  },
  meter: (d) => formatMeterMod(parseMeter(hostile(d, meterText(d, 'add')), d.pick(['add', 'modify', 'delete']))),
  packetOut: (d) => parsePacketOut(hostile(d, packetOutText(d)), names),
  exactFlow: (d) => parseExactFlow(hostile(d, matchText(d, 2)), names),
  watch: (d) => parseWatch(hostile(d, `${d.pick(['', '!initial,', '!own,table=3,', 'out_port=5,'])}${matchText(d, 2)}`), names),
  ctFlush: (d) => parseCtFlush(flushWords(d).map((word) => hostile(d, word))),
  ctTuple: (d) => parseCtTuple(sample(d, ['ct_nw_src=10.0.0.1,ct_nw_proto=6,ct_tp_dst=80', 'ct_ipv6_src=fe80::1,icmp_id=7'])),
  flowFilter: (d) => flowFilter(hostile(d, d.chance(1, 2) ? matchText(d, 2) : filterText(d)), names),
  dpKey,
  dpActions,
  connection,
  tunnelOptions,
  vsctl: (d) => parseCommandLine(d.some(8, () => (d.chance(1, 6) ? hostile(d, d.pick(WORDS)) : d.pick(WORDS)))),
  options: (d) =>
    parseOptions(
      d.some(6, () =>
        sample(d, [
          '--detach',
          '--pidfile=x',
          '--log-file',
          '-vconsole:dbg',
          '--private-key=k',
          '-p',
          '--no-chdir',
          '--',
          'word',
          '--ssl-protocols=TLSv1',
        ]),
      ),
      [...BACKGROUND_OPTIONS, ...DAEMON_OPTIONS, ...LOG_OPTIONS, ...SSL_OPTIONS],
      d.chance(1, 2),
    ),
  tlsVersions: (d) => namedVersions(sample(d, ['TLSv1,TLSv1.1', 'TLSv1.3 TLSv1.2', ''])),
  logText,
  lab: (d) => parseLab(sample(d, [LAB]), 'x.yaml'),
};
