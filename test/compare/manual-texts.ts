// What Debian's manual pages ovs-ofctl(8), ovs-actions(7) and ovs-fields(7) set as code, tried as matches, actions and settings of flows: in the
// pages' own words, with the placeholders filled in.
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Dice } from './random.ts';

const PAGES = ['man7/ovs-actions.7', 'man7/ovs-fields.7', 'man8/ovs-ofctl.8'].map((name) => `/usr/share/man/${name}.gz`);

/** What may stand for a placeholder, and so for any word in italics. */
const FILLED: Readonly<Record<string, readonly string[]>> = {
  port: ['1', 'LOCAL', 'in_port'],
  field: ['reg0', 'NXM_NX_REG1[0..15]', 'tun_id', 'eth_dst', 'vlan_vid', 'tun_metadata3'],
  src: ['reg0[0..15]', 'NXM_OF_VLAN_TCI[]', 'eth_src[16..31]', 'nw_src'],
  dst: ['reg1[0..15]', 'NXM_NX_REG2[3]', 'vlan_tci[]', 'ip_dst', 'ct_mark'],
  value: ['5', '0x10', '10.0.0.1', '00:11:22:33:44:55', '::1'],
  mask: ['0xff', '255.0.0.0', 'ff:ff:00:00:00:00', '8'],
  ip: ['10.0.0.1', '::1'],
  mac: ['00:11:22:33:44:55'],
  ethertype: ['0x8100', '0x88a8', '0x8847', '0x0800', '0x800'],
  bits: ['0x1', '1'],
  spec: ['NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]', 'load:1->reg0[0]', 'output:in_port'],
  action: ['output:1', 'drop', 'dec_ttl'],
  table: ['3', '254'],
  flags: ['+trk+new', '-syn', '0x20/0x20'],
  algorithm: ['hrw', 'active_backup', 'modulo_n'],
  fields: ['eth_src', 'symmetric_l4'],
};
const NUMBERS = ['1', '2', '7', '0x10', '100'];

const plain = (text: string): string =>
  text
    .replace(/\\&|\\\||\\\^/g, '')
    .replace(/\\-/g, '-')
    .replace(/\\\[char46\]/g, '.')
    .replace(/\\e/g, '\\')
    .replace(/\\\(aq/g, "'")
    .replace(/\\\(bu|\\\(em|\\\(.{2}/g, '')
    .replace(/\\[%~0 ]/g, ' ');

/** A line of a page with words in italics as `{word}`. */
const marked = (line: string): string =>
  plain(
    line
      .replace(/^\.(?:B|BR|IP|TP|SS|IQ|BI|IB|RB) ?/, '')
      .replace(/\\f[I2]([^\\]*)\\f[BPR13]/g, '{$1}')
      .replace(/\\f[A-Z0-9]|\\f\([A-Z]{2}|\\f\[[^\]]*\]/g, ''),
  );

const WORD = /[a-z_][\w.]*(?:\[[^\]]*\])?(?:[:=(]|->)[^\s;]+|\b[a-z]+_[a-z_0-9]+\b/gi;

/** The pieces of the pages that look like code, each once, in their order. */
export function manualPieces(): string[] {
  const pieces = new Set<string>();
  for (const path of PAGES) {
    if (!existsSync(path)) continue;
    for (const line of gunzipSync(readFileSync(path)).toString('utf8').split('\n')) {
      const text = marked(line)
        .replace(/[^ -~]|"/g, '')
        .trim();
      // Lines that are code as a whole, and words of prose that look like it.
      if (/[=:(]/.test(text) && text.length < 120) pieces.add(text.replace(/^.*?actions?=/, ''));
      for (const [word] of text.matchAll(WORD)) pieces.add(word.replace(/[.,:]+$/, ''));
    }
  }
  // Options would be obeyed.
  return [...pieces].filter((piece) => piece !== '' && !piece.startsWith('-'));
}

const filled = (d: Dice, piece: string): string =>
  piece
    .replace(/\{([^}]*)\}/g, (_, name: string) => d.pick(FILLED[name.replace(/\d+$/, '')] ?? NUMBERS))
    .replace(/\[(=[^\]]*|[,/][^\]]*)\]/g, (_, inner: string) => (d.chance(1, 2) ? inner : ''))
    .replace(/\.\.\.$/, '');

const NEEDS = [
  '',
  '',
  'ip,',
  'tcp,',
  'ipv6,',
  'udp6,',
  'icmp6,icmp_type=135,',
  'arp,',
  'mpls,',
  'dl_vlan=5,',
  'ct_state=+trk,ip,',
  'dl_type=0x894f,',
];

let pieces: string[] | undefined;

/** A flow that says a piece of the manual, as a match, an action, or somewhere in one. */
export function manualFlow(d: Dice): string {
  pieces ??= manualPieces();
  const piece = filled(d, d.pick(pieces));
  const needs = d.pick(NEEDS);
  switch (d.below(8)) {
    case 0:
    case 1:
      return `${needs}${piece},actions=drop`;
    case 2:
      return `${needs}${piece}=${d.pick(d.chance(1, 2) ? NUMBERS : (FILLED['value'] ?? NUMBERS))},actions=drop`;
    case 3:
      return `${needs}actions=ct(${piece})`;
    case 4:
      return `${needs}actions=learn(${piece})`;
    case 5:
      return `${needs}actions=${piece},${filled(d, d.pick(pieces))}`;
    default:
      return `${needs}actions=${piece}`;
  }
}
