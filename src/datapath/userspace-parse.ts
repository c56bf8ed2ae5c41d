// The inside of `userspace(...)` from text. What Weft's switch gives out as cookies has no text, so such an action is kept as it was written.
// Facts: the running reference.
import type { DpAction } from './datapath.ts';
import type { TextScan } from './text-scan.ts';

/** Why frames go the slow way, by bits. */
const SLOW_REASONS = ['cfm', 'bfd', 'lacp', 'stp', 'lldp', 'action', 'match'];
/** What stands for no data at all. */
const NO_DATA = '00'.repeat(48);
const LEAST_DATA = 8;
const NO_PORT = 0xffffffff;

function slowPath(scan: TextScan): string | undefined {
  const text = scan.match(/slow_path\(([^)]*)\)/y)?.[1];
  if (text === undefined) return undefined;
  let bits = 0;
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) bits = Number(text);
  else {
    for (const name of text.split('|')) {
      const bit = SLOW_REASONS.indexOf(name);
      if (bit < 0 && name !== '') return undefined;
      bits |= bit < 0 ? 0 : 1 << bit;
    }
  }
  if (bits >= 1 << SLOW_REASONS.length) return undefined;
  const names = SLOW_REASONS.filter((_, i) => (bits & (1 << i)) !== 0);
  return `slow_path(${names.length === 0 ? 0 : names.join(',')})`;
}

function flowSample(scan: TextScan): string | undefined {
  const names = ['probability', 'collector_set_id', 'obs_domain_id', 'obs_point_id', 'output_port'];
  const numbers = scan.pattern(`flow_sample(${names.map((name) => `${name}=%i`).join(',')}`);
  if (numbers === undefined) return undefined;
  const direction = scan.match(/,(?:in|e)gress/y)?.[0] ?? '';
  if (!scan.word(')')) return undefined;
  const parts = names.map((name, i) => `${name}=${i === 0 ? numbers[i]! & 0xffff : numbers[i]}`);
  return `flow_sample(${parts.join(',')}${direction})`;
}

function controller(scan: TextScan): string | undefined {
  const [reason = 0, dontSend, continuation, recirc] =
    scan.pattern('controller(reason=%u,dont_send=%i,continuation=%i,recirc_id=%u,') ?? [];
  const cookie = recirc !== undefined && scan.word('rule_cookie=0x') ? scan.number(64, 'x') : undefined;
  const [id = 0, most] = cookie === undefined ? [] : (scan.pattern(',controller_id=%u,max_len=%u)') ?? []);
  if (cookie === undefined || most === undefined) return undefined;
  const flag = (value: number | undefined): number => (value === 0 ? 0 : 1);
  const first = `reason=${reason & 0xffff},dont_send=${flag(dontSend)},continuation=${flag(continuation)},recirc_id=${recirc}`;
  return `controller(${first},rule_cookie=${cookie === 0n ? '0' : `0x${cookie.toString(16)}`},controller_id=${id & 0xffff},max_len=${most & 0xffff})`;
}

function userData(scan: TextScan): string | undefined {
  const digits = scan
    .match(/userdata\(((?:[0-9a-f]{2}|\s)*)\)/iy)?.[1]
    ?.replaceAll(/\s/g, '')
    .toLowerCase();
  return digits === undefined ? undefined : `userdata(${digits.padEnd(LEAST_DATA * 2, '0')})`;
}

function sFlow(scan: TextScan): string | undefined {
  const [vid = 0, pcp = 0, output] = scan.pattern('sFlow(vid=%i,pcp=%i,output=%i)') ?? [];
  return output === undefined ? undefined : `sFlow(vid=${vid & 0xfff},pcp=${pcp & 7},output=${output})`;
}

function ipfix(scan: TextScan): string | undefined {
  const [port] = scan.pattern('ipfix(output_port=%i)') ?? [];
  return port === undefined ? undefined : `ipfix(output_port=${port})`;
}

/** What follows `userspace(`. */
export function readUserspace(scan: TextScan, make: (said: string) => DpAction): DpAction | undefined {
  const [pid] = scan.pattern('pid=%i') ?? [];
  if (pid === undefined) return undefined;
  const start = scan.at;
  let cookie: string | undefined;
  if (scan.word(',')) {
    cookie = sFlow(scan) ?? slowPath(scan) ?? flowSample(scan) ?? ipfix(scan) ?? controller(scan) ?? userData(scan);
    if (cookie === undefined) scan.at = start;
  }
  const actions = scan.match(/,actions/y)?.[0] ?? '';
  const [port] = scan.pattern(',tunnel_out_port=%i') ?? [];
  if (!scan.word(')')) return undefined;
  const tunnel = port === undefined || port === NO_PORT ? '' : `,tunnel_out_port=${port}`;
  return make(`userspace(pid=${pid},${cookie ?? `userdata(${NO_DATA})`}${actions}${tunnel})`);
}
