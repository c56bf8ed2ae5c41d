// The arguments of ovs-ofctl's smaller commands: meters, packet-outs, ports, tables, options of tunnels, queues, tracked connections.
import { FIELDS } from '../../../src/flow/fields.ts';
import { actionsText, flowText, ipv4, ipv6, mac, matchText, port, valueText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';
import { PORTS, TABLES } from './peer.ts';

export const number = (d: Dice, bits: number): string => {
  const value = d.bits(bits);
  return d.chance(2, 3) ? String(value) : `0x${value.toString(16)}`;
};

/** A port by number, reserved word, name, or a name in quotes. */
export const portWord = (d: Dice): string => {
  if (d.chance(1, 2)) return port(d);
  const { name } = d.pick(PORTS);
  return d.chance(1, 5)
    ? JSON.stringify(name)
    : d.chance(1, 8)
      ? d.pick(['nobody', '', '-1', '70000', '"', '0x1', '0xffffff01', 'any'])
      : name;
};

/** A table by number or name. */
export const tableWord = (d: Dice): string => {
  if (d.chance(2, 3)) return String(d.below(256));
  const { name } = d.pick(TABLES);
  return d.chance(1, 4)
    ? JSON.stringify(name)
    : d.chance(1, 6)
      ? d.pick(['nobody', '-1', '256', '4294967296', 'all', 'ALL', '', '0x1', '01', '"one'])
      : name;
};

const meterNumber = (d: Dice): string =>
  d.chance(5, 6)
    ? String(1 + d.below(100))
    : d.pick(['0', 'all', 'controller', 'slowpath', 'virtual', '4294901760', '4294901761', '-1', '0x10', number(d, 32), '']);

/** One meter, mostly sound. */
export function meterText(d: Dice, verb: 'add' | 'mod' | 'one'): string {
  const parts: string[] = [];
  if (!d.chance(1, 20)) parts.push(`meter=${meterNumber(d)}`);
  const flags = ['kbps', 'pktps', 'burst', 'stats'].filter((name) => d.chance(name === 'kbps' ? 3 : 1, 4));
  if (verb !== 'one' || d.chance(1, 20)) parts.push(...flags);
  if (d.chance(1, 25)) parts.push(d.pick(['what', 'kbps=1', 'what=2', '', 'flags=1', 'meter=3', 'meter']));
  if (d.chance(1, 8)) parts.reverse();
  if (verb === 'one' ? d.chance(1, 20) : !d.chance(1, 25)) {
    const bands = Array.from({ length: d.chance(1, 20) ? 0 : 1 + d.below(3) }, () => {
      const type = d.chance(1, 30) ? 'other' : d.pick(['drop', 'dscp_remark']);
      const band = [`type=${type}`];
      if (!d.chance(1, 25)) band.push(`rate=${number(d, 32)}`);
      if (flags.includes('burst') ? !d.chance(1, 20) : d.chance(1, 20)) band.push(`burst_size=${number(d, 32)}`);
      if (type === 'dscp_remark' ? !d.chance(1, 20) : d.chance(1, 20)) band.push(`prec_level=${number(d, d.chance(1, 8) ? 9 : 8)}`);
      if (d.chance(1, 30)) band.push(d.pick(['what', 'what=1', '']));
      if (d.chance(1, 30)) band.reverse();
      return band.join(d.pick([',', ',', ' ']));
    });
    parts.push(`${d.chance(1, 20) ? d.pick(['band=', 'banding=', 'band', 'bands']) : 'bands='}${bands.join(',')}`);
  }
  return parts.join(d.pick([',', ',', ',', ' ', ', ']));
}

const hexFrame = (d: Dice): string => {
  const text = Buffer.from(d.bytes(d.pick([14, 18, 34, 60, 60, d.below(14), 15]))).toString('hex');
  return d.chance(1, 20)
    ? d.pick([`${text}0`, `${text}zz`, '', ' ', text.toUpperCase(), text.replace(/(..)/g, '$1 ').trim(), text.replace(/(..)/g, '$1.')])
    : text;
};

const PIPELINE = FIELDS.filter(({ name }) => /^(in_port|metadata|x{0,2}reg\d+|tun_|pkt_mark|packet_type|skb_priority|ct_)/.test(name));

/** A packet-out as one text. */
export function packetOutText(d: Dice): string {
  const parts: string[] = [];
  if (!d.chance(1, 8)) parts.push(`in_port=${portWord(d)}`);
  for (const field of d.some(2, () => d.pick(d.chance(1, 12) ? FIELDS : PIPELINE))) parts.push(`${field.name}=${valueText(d, field)}`);
  if (!d.chance(1, 20)) parts.push(`packet=${hexFrame(d)}`);
  if (d.chance(1, 25)) parts.push(d.pick(['what', 'what=1', 'ip', 'table=1', 'buffer_id=1', 'packet', 'in_port']));
  if (d.chance(1, 8)) parts.reverse();
  const actions = d.chance(1, 12)
    ? d.pick(['drop', '', 'goto_table:1', 'meter:1', 'write_metadata:1', 'clear_actions', 'write_actions(1)', 'what'])
    : actionsText(d);
  if (!d.chance(1, 15)) parts.push(`actions=${actions}`);
  return parts.join(d.pick([',', ' ', ', ']));
}

/** A packet-out in words. */
export const packetOutWords = (d: Dice): string[] => [
  portWord(d),
  d.chance(1, 10) ? packetOutText(d) : actionsText(d),
  ...d.some(2, () => hexFrame(d)),
];

const PORT_WORDS =
  'up down stp no-stp receive no-receive receive-stp no-receive-stp flood no-flood forward no-forward packet-in no-packet-in'.split(' ');
export const portAction = (d: Dice): string => (d.chance(1, 12) ? d.pick(['', 'UP', 'no-what', 'down ']) : d.pick(PORT_WORDS));

export const tableSetting = (d: Dice): string =>
  d.chance(2, 5)
    ? d.pick(['controller', 'continue', 'drop', 'evict', 'noevict', 'novacancy', 'vacancy', 'what', 'Drop', '', 'evict:1', 'drop:'])
    : `vacancy:${d.pick([`${d.below(60)},${50 + d.below(60)}`, `${d.below(120)},${d.below(120)}`, `${d.below(99)}`, `${d.below(99)},`, `,${d.below(99)}`, 'a,b', '1,2,3', '-1,5', '0x5,0x9', '5, 9', ' 5,9', '005,9', '1.5,9'])}`;

const option = (d: Dice): string => {
  const sound = `{class=${number(d, 16)},type=${number(d, 8)},len=${d.chance(4, 5) ? 4 * (1 + d.below(31)) : number(d, 9)}}->tun_metadata${d.chance(9, 10) ? d.below(64) : number(d, 17)}`;
  return d.chance(1, 12)
    ? d.pick([
        sound.replace('{', ''),
        sound.replace('}', ''),
        sound.replace('->', '-'),
        sound.replace('class', 'clas'),
        sound.replaceAll(',', ', '),
        sound.replaceAll(',', ' '),
        `${sound}x`,
        sound.replace('tun_metadata', 'tun_meta'),
        sound.replace('=', '= '),
        sound.replace(',len', ',length'),
      ])
    : sound;
};
export const optionMap = (d: Dice): string => Array.from({ length: 1 + d.below(3) }, () => option(d)).join(d.pick([',', ', ', ' ', ',,']));

const connection = (d: Dice): string => {
  const is6 = d.chance(1, 3);
  const parts: string[] = [];
  const maybe = (text: string, chance = 2): void => void (d.chance(1, chance) && parts.push(text));
  maybe(is6 ? `ct_ipv6_src=${ipv6(d)}` : `ct_nw_src=${ipv4(d)}`);
  maybe(is6 ? `ct_ipv6_dst=${ipv6(d)}` : `ct_nw_dst=${ipv4(d)}`);
  const proto = d.pick([6, 17, 1, 58, 132, d.below(256)]);
  maybe(`ct_nw_proto=${d.chance(9, 10) ? proto : number(d, 9)}`, 2);
  if (proto === 1 || proto === 58 ? d.chance(3, 4) : d.chance(1, 12)) {
    maybe(`icmp_type=${d.chance(1, 2) ? d.pick([8, 0, 13, 128, 129, 15]) : number(d, 9)}`);
    maybe(`icmp_code=${number(d, 8)}`);
    maybe(`icmp_id=${number(d, 17)}`);
  } else {
    maybe(`ct_tp_src=${number(d, d.chance(1, 10) ? 17 : 16)}`);
    maybe(`ct_tp_dst=${number(d, 16)}`);
  }
  maybe(d.pick(['what=1', 'ct_nw_src=1.2.3.4', 'ct_ipv6_dst=::1', 'ct_nw_src', 'ct_nw_proto=', 'ct_tp_src=x', 'ct_zone=1']), 15);
  return parts.join(d.pick([',', ',', ' ', ', ']));
};
export const flushWords = (d: Dice): string[] => {
  const words: string[] = [];
  if (d.chance(1, 2)) words.push(`zone=${d.chance(3, 4) ? d.below(65536) : d.pick([number(d, 32), '-1', 'x', '0x10', '', '5x'])}`);
  if (d.chance(3, 4)) words.push(d.chance(1, 12) ? '' : connection(d));
  if (d.chance(1, 3)) words.push(d.chance(1, 12) ? '' : connection(d));
  if (d.chance(1, 30)) words.push('more');
  return words;
};

/** What `monitor` takes behind the switch. */
export function monitorWords(d: Dice): string[] {
  const words: string[] = [];
  if (d.chance(1, 4)) words.push(d.pick(['128', '65535', '0', '65536', '-1', 'what', '0x80', 'invalid_ttl', 'invalid_tt']));
  if (d.chance(1, 6)) words.push('invalid_ttl');
  const parts: string[] = [];
  for (const flag of d.some(3, () => d.pick(['!initial', '!add', '!delete', '!modify', '!actions', '!own', '!what', 'initial', '!abbrev'])))
    parts.push(flag);
  if (d.chance(1, 3)) parts.push(`table=${tableWord(d)}`);
  if (d.chance(1, 3)) parts.push(`out_port=${portWord(d)}`);
  if (d.chance(1, 6)) parts.push(`out_group=${number(d, 33)}`);
  if (d.chance(2, 3)) parts.push(matchText(d, 1));
  if (d.chance(1, 12)) parts.push(d.pick(['what', 'what=1', 'priority=3', 'cookie=1/1', 'actions=1', '']));
  words.push(`watch:${parts.join(d.pick([',', ', ', ' ']))}`);
  return words;
}

/** Comments, blank lines and blanks around them, as files may have. */
export const fileOf = (d: Dice, lines: readonly string[]): string =>
  lines
    .map((line) => {
      const odd = d.below(20);
      if (odd === 0) return `# ${line}`;
      if (odd === 1) return `\n${line}`;
      if (odd === 2) return `  ${line} # a comment`;
      if (odd === 3) return `\t${line}\t\r`;
      return line;
    })
    .join('\n') + (d.chance(1, 10) ? '' : '\n');

/** A flow as a request selects by it. */
export function filterText(d: Dice): string {
  const parts: string[] = [];
  if (d.chance(1, 3)) parts.push(`table=${tableWord(d)}`);
  if (d.chance(1, 3)) parts.push(`out_port=${portWord(d)}`);
  if (d.chance(1, 5)) parts.push(`out_group=${d.chance(3, 4) ? d.below(99) : d.pick([number(d, 33), 'all', 'any', ''])}`);
  if (d.chance(1, 3)) parts.push(`cookie=${number(d, 64)}${d.chance(7, 8) ? `/${d.chance(1, 2) ? '-1' : number(d, 64)}` : ''}`);
  if (d.chance(1, 6)) parts.push(`priority=${number(d, 16)}`);
  if (d.chance(3, 4)) parts.push(matchText(d, 1));
  if (d.chance(1, 15))
    parts.push(
      d.pick(['what', 'idle_timeout=1', 'send_flow_rem', 'importance=2', 'actions=1', 'in_port=nobody', 'duration=5', 'check_overlap']),
    );
  return parts.join(',');
}

/** A flow whose ports and tables have names now and then. */
export function namedFlow(d: Dice): string {
  const head: string[] = [];
  if (d.chance(1, 3)) head.push(`table=${tableWord(d)}`);
  if (d.chance(1, 3)) head.push(`in_port=${portWord(d)}`);
  if (d.chance(1, 4)) head.push(`cookie=${number(d, 64)}${d.chance(1, 3) ? `/${number(d, 64)}` : ''}`);
  const tail = d.chance(1, 2)
    ? ''
    : `,${d.pick(['output:', 'enqueue:', 'resubmit:', 'goto_table:', 'resubmit(,', 'learn(table=', 'ct(table=', 'output(max_len=64,port='])}${d.chance(1, 2) ? portWord(d) : tableWord(d)}`;
  const closing = tail.startsWith(',enqueue') ? ':3' : /\($|\(,?\w*=?|\(max/.test(tail) ? ')' : '';
  return `${head.join(',')}${head.length > 0 ? ',' : ''}${flowText(d, 1)}${tail}${closing}`;
}

export const anyMac = mac;
