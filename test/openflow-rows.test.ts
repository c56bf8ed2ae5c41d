// Every row of the tables of fields, actions and messages goes through text and bytes: a row that nothing here can make fails the test, so
// that a new one comes with its own. The generators are those of the comparison with the reference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, PeerError } from '../src/base/errors.ts';
import { setLogSink } from '../src/base/log.ts';
import { FIELDS } from '../src/flow/fields.ts';
import { formatMatch } from '../src/flow/match-text.ts';
import type { Action, ActionKind } from '../src/openflow/action.ts';
import { decodeMessage, encodeMessage } from '../src/openflow/codec/codec.ts';
import type { CodecOptions } from '../src/openflow/codec/codec-options.ts';
import type { FlowMod, OfVersion } from '../src/openflow/message.ts';
import { messageForm } from '../src/openflow/message-table.ts';
import { usableProtocols } from '../src/openflow/protocols.ts';
import { formatActions } from '../src/openflow/text/action-format.ts';
import { parseActions } from '../src/openflow/text/action-parse.ts';
import { parseFlow } from '../src/openflow/text/flow-text.ts';
import { printBytes } from '../src/openflow/text/message-print.ts';
import { prerequisite, valueText } from './compare/flow-lines.ts';
import { anyMessage, HEADS, soundMessage } from './compare/messages.ts';
import { Dice } from './compare/random.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The formats that can carry a flow mod: none when its actions make no sense for its match. */
function usable(mod: FlowMod): string[] {
  try {
    return usableProtocols([mod]);
  } catch (error) {
    assert.ok(error instanceof PeerError && error.code === 'OFPBAC_MATCH_INCONSISTENT', String(error));
    return [];
  }
}

/** A flow mod back from each format that can carry it. */
function* carried(mod: FlowMod): Generator<{ format: string; back: FlowMod }> {
  for (const format of usable(mod)) {
    const version = format.startsWith('OXM') ? Number(format.slice(-1)) + 1 : format === 'OpenFlow11' ? 2 : 1;
    const options = { nxFlows: format.startsWith('NXM'), flowModTableId: format.endsWith('+table_id') };
    try {
      yield { format, back: decodeMessage(encodeMessage(version as OfVersion, 1, mod, options), options).message as FlowMod };
    } catch (error) {
      // Text takes some values, and counts some formats as able, that bytes do not: compared with the reference elsewhere.
      if (!(error instanceof PeerError)) throw error;
    }
  }
}

test('fields: matches on each come back from text and from every format that can carry them', () => {
  for (const [i, field] of FIELDS.entries()) {
    const d = new Dice(1000 + i);
    let formats = 0;
    for (let tries = 0; tries < 60; tries++) {
      const needs = prerequisite(d, field);
      let mod: FlowMod;
      try {
        mod = parseFlow(`${needs}${needs === '' ? '' : ','}${field.name}=${valueText(d, field)},actions=drop`, 'add');
      } catch (error) {
        // Some values are refused.
        assert.ok(error instanceof ConfigError, String(error));
        continue;
      }
      const text = formatMatch(mod.match, mod.priority);
      // As in the reference, a 0 in some fields is none, and some masks of IPv6 addresses, unnamed flags and GTP-U's fields are printed in a
      // form that is not taken, the type of service of a tunnel in one that is another number.
      if (/(tun_erspan_\w+|gtpu_\w+|ct_nw_proto)=0\b/.test(text)) continue;
      if (!/:\/[^,]*:|gtpu_|tun_tos|\[/.test(text)) {
        const again = parseFlow(`${text}${text === '' ? '' : ','}actions=drop`, 'add');
        assert.equal(formatMatch(again.match, again.priority), text, `${field.name} as text`);
      }
      // Options of tunnels are placed by a switch's table; what has no code is for text alone.
      if (field.codes.length === 0 || field.name.startsWith('tun_metadata')) {
        formats++;
        continue;
      }
      // The fixed matches of OpenFlow 1.0 and 1.1 have no place for all that a tag can be, nor has OXM.
      for (const { format, back } of carried(mod)) {
        formats++;
        if (!(/vlan/.test(field.name) ? /^NXM/ : /^(NXM|OXM)/).test(format)) continue;
        assert.equal(formatMatch(back.match, back.priority), text, `${field.name} in ${format}`);
      }
    }
    assert.ok(formats > 0 || field.codes.length === 0, `${field.name} came through no format`);
  }
});

/** One of each kind; the type wants one for every kind there is. */
const EXAMPLES: Readonly<Record<ActionKind, string>> = {
  output: 'output:3',
  outputReg: 'output:NXM_NX_REG0[3..9]',
  outputTrunc: 'output(port=2,max_len=100)',
  controller: 'controller(reason=invalid_ttl,max_len=7,id=9,userdata=01.02,pause,meter_id=4)',
  unrollXlate: '',
  enqueue: 'enqueue:2:5',
  group: 'group:7',
  bundle: 'bundle_load(eth_src,50,hrw,ofport,NXM_NX_REG0[0..15],members:1,2)',
  setField: 'set_field:10.0.0.0/255.0.0.0->ip_dst',
  regLoad: 'load:0x5->NXM_NX_REG1[0..7]',
  regMove: 'move:NXM_OF_ETH_SRC[0..7]->NXM_NX_REG1[8..15]',
  setVlanVid: 'mod_vlan_vid:5',
  setVlanPcp: 'mod_vlan_pcp:3',
  stripVlan: 'strip_vlan',
  pushVlan: 'push_vlan:0x88a8',
  setEthSrc: 'mod_dl_src:50:54:00:00:00:01',
  setEthDst: 'mod_dl_dst:50:54:00:00:00:02',
  setIpv4Src: 'mod_nw_src:10.0.0.1',
  setIpv4Dst: 'mod_nw_dst:10.0.0.2',
  setIpDscp: 'mod_nw_tos:32',
  setIpEcn: 'mod_nw_ecn:2',
  setIpTtl: 'mod_nw_ttl:9',
  setL4SrcPort: 'mod_tp_src:80',
  setL4DstPort: 'mod_tp_dst:81',
  decTtl: 'dec_ttl(1,2)',
  setMplsLabel: 'set_mpls_label(5)',
  setMplsTc: 'set_mpls_tc(3)',
  setMplsTtl: 'set_mpls_ttl(9)',
  decMplsTtl: 'dec_mpls_ttl',
  pushMpls: 'push_mpls:0x8847',
  popMpls: 'pop_mpls:0x0800',
  decNshTtl: 'dec_nsh_ttl',
  deleteField: 'delete_field:tun_metadata5',
  setTunnel: 'set_tunnel64:0x123456789',
  setQueue: 'set_queue:7',
  popQueue: 'pop_queue',
  finTimeout: 'fin_timeout(idle_timeout=3,hard_timeout=5)',
  resubmit: 'resubmit(3,4)',
  learn:
    'learn(table=3,limit=5,result_dst=NXM_NX_REG2[0],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:5->NXM_NX_REG0[0..7],output:NXM_OF_IN_PORT[])',
  conjunction: 'conjunction(7,1/3)',
  multipath: 'multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG0[0..3])',
  note: 'note:01.02.03.00.00.00',
  exit: 'exit',
  sample: 'sample(probability=7,collector_set_id=1,obs_domain_id=2,obs_point_id=3,sampling_port=4,ingress)',
  push: 'push:NXM_NX_REG3[2..9]',
  pop: 'pop:NXM_NX_REG3[2..9]',
  clone: 'clone(output:1,dec_ttl)',
  checkPktLarger: 'check_pkt_larger(100)->NXM_NX_REG0[3]',
  ct: 'ct(commit,zone=NXM_NX_REG0[0..15],table=4,exec(load:0x7->NXM_NX_CT_MARK[]),alg=ftp)',
  nat: 'ct(commit,nat(src=10.0.0.1-10.0.0.9:5-9,random))',
  ctClear: 'ct_clear',
  encap: 'encap(nsh(md_type=1))',
  decap: 'decap()',
  debugRecirc: '',
  debugSlow: '',
  meter: 'meter:4',
  clearActions: 'clear_actions',
  writeActions: 'write_actions(output:2,group:3)',
  writeMetadata: 'write_metadata:0x5/0xff',
  gotoTable: 'goto_table:9',
};
/** What no text makes: it stands in continuations alone, or has to be allowed. */
const UNSAID: readonly ActionKind[] = ['unrollXlate', 'debugRecirc', 'debugSlow'];

const kindsIn = (actions: readonly Action[]): ActionKind[] =>
  actions.flatMap((action) => [
    action.kind,
    ...(action.kind === 'ct'
      ? kindsIn(action.exec)
      : action.kind === 'clone' || action.kind === 'writeActions'
        ? kindsIn(action.actions)
        : []),
  ]);

/** Flows in which any action makes sense. */
const PLACES = [
  'ip',
  'tcp',
  'ct_state=+trk,ip',
  'vlan_tci=0x1000/0x1000,ip',
  'mpls',
  'dl_type=0x894f',
  'ipv6',
  'packet_type=(1,0x800)',
  '',
];

test('actions: one of each kind comes back from text and from bytes', () => {
  for (const [kind, text] of Object.entries(EXAMPLES) as [ActionKind, string][]) {
    assert.equal(text === '', UNSAID.includes(kind), kind);
    if (text === '') continue;
    const actions = parseActions(text);
    assert.ok(kindsIn(actions).includes(kind), `${text} has no ${kind}`);
    const printed = formatActions(actions);
    assert.equal(formatActions(parseActions(printed)), printed, `${kind} as text`);
    const formats = new Set<string>();
    for (const place of PLACES) {
      const mod = parseFlow(`table=0${place === '' ? '' : `,${place}`},actions=${text}`, 'add');
      // Versions have words of their own for some: what comes back is to be what goes out again.
      for (const { format, back } of carried(mod)) {
        for (const { format: second, back: again } of carried({ ...back, match: mod.match }))
          if (second === format) assert.deepEqual(again.actions, back.actions, `${kind} in ${format}`);
        formats.add(format);
      }
    }
    assert.ok(formats.size > 0, `${kind} came through no format`);
  }
});

test('messages: every row of every version has a sound one, and nothing but a fault of the peer comes of a damaged one', () => {
  for (const [index, { form, version }] of HEADS.entries()) {
    const d = new Dice(7000 + index);
    let sound = 0;
    // Some bodies are seldom sound.
    for (let tries = 0; tries < 20 || (sound === 0 && tries < 2000); tries++) {
      const isSound = tries % 2 === 0;
      const { bytes } = isSound ? soundMessage(d, index) : anyMessage(d, index);
      try {
        const { xid, message } = decodeMessage(bytes);
        if (isSound) sound++;
        const out = encodeMessage(version as OfVersion, xid, message);
        assert.deepEqual(decodeMessage(out).message.kind, message.kind, form.name);
      } catch (error) {
        assert.ok(error instanceof PeerError, `${form.name}, version ${version}: ${String((error as Error).stack)}`);
      }
    }
    assert.ok(sound > 0, `no sound ${form.name} of version ${version}`);
  }
});

/** Has a message written in the form that it came in, where a version has several. */
const formOptions = (name: string): CodecOptions => ({
  nxFlows: /^NX(?:ST|T)_/.test(name),
  packetInFormat: name === 'NXT_PACKET_IN' ? 1 : name === 'NXT_PACKET_IN2' ? 2 : 0,
});

/** Rows that are written as another row: the message says the same in the version's own form. */
const OTHER_FORMS = /^NXT_(?:FLOW_REMOVED|ROLE_RE\w+|SET_ASYNC_CONFIG2?)$/;

/** What is not read as it is written, here as in the reference. */
const NOT_AS_WRITTEN = [
  // OpenFlow 1.1's fixed match: type of service and protocol of IPv6 are written and not read.
  (_name: string, version: number, hex: string): boolean => version === 2 && /86dd(?!0000)/.test(hex),
  // A tag of which it is not said that it is there, as NXM can: in OXM it lacks what its priority asks for, and in packet-ins gets the bit.
  (_name: string, _version: number, hex: string): boolean => /80000c020....*80000e01/.test(hex),
  (name: string, _version: number, hex: string): boolean =>
    /PACKET_IN|RESUME|NXT_FLOW_REMOVED/.test(name) &&
    (/80000c020|80000d040/.test(hex) || (/80000e01/.test(hex) && !/80000[cd]0/.test(hex))),
];

test('messages: what every row of every version is written as is read and written again byte by byte', () => {
  for (const [index, { form, version }] of HEADS.entries()) {
    const d = new Dice(9000 + index);
    const options = formOptions(form.name);
    let exact = 0;
    for (let tries = 0; tries < 40 || (exact === 0 && tries < 2000); tries++) {
      let canonical: Uint8Array;
      try {
        const { xid, message } = decodeMessage(soundMessage(d, index).bytes, options);
        canonical = encodeMessage(version as OfVersion, xid, message, options);
      } catch (error) {
        // Not every generated one is sound, and not every form can say what another can.
        assert.ok(error instanceof PeerError || error instanceof ConfigError, String(error));
        continue;
      }
      const hex = hexOf(canonical);
      if (NOT_AS_WRITTEN.some((isSo) => isSo(form.name, version, hex))) continue;
      const { xid, message } = decodeMessage(canonical, options);
      assert.equal(hexOf(encodeMessage(version as OfVersion, xid, message, options)), hex, `${form.name}, version ${version}`);
      const { name } = messageForm(canonical);
      assert.ok(name === form.name || OTHER_FORMS.test(form.name), `${form.name}, version ${version}, is written as ${name}`);
      exact++;
    }
    assert.ok(exact > 0, `no ${form.name} of version ${version}`);
  }
});

test('messages: cut off anywhere, and with any byte another, each row of each version is printed or refused by the code of a fault', () => {
  const before = setLogSink({ shows: () => false, write: () => undefined });
  try {
    for (const [index, { form, version }] of HEADS.entries()) {
      const d = new Dice(11000 + index);
      const { bytes: whole } = soundMessage(d, index);
      const hostile: Uint8Array[] = [];
      for (let size = 8; size < whole.length; size += whole.length > 400 ? 7 : 1) hostile.push(whole.slice(0, size));
      for (let at = 8; at < whole.length; at += whole.length > 400 ? 7 : 1) {
        const bytes = whole.slice();
        bytes[at] = d.pick([0, 1, 0x7f, 0x80, 0xff, (bytes[at] ?? 0) ^ (1 << d.below(8))]);
        hostile.push(bytes);
      }
      for (const bytes of hostile) {
        new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, bytes.length);
        const what = `${form.name}, version ${version}: ${hexOf(bytes)}`;
        assert.doesNotThrow(() => printBytes(bytes, { verbosity: d.below(4) }), what);
        try {
          const { xid, message } = decodeMessage(bytes, formOptions(form.name));
          encodeMessage(version as OfVersion, xid, message, formOptions(form.name));
        } catch (error) {
          assert.ok(error instanceof PeerError || error instanceof ConfigError, `${what}: ${String((error as Error).stack)}`);
        }
      }
    }
  } finally {
    setLogSink(before);
  }
});
