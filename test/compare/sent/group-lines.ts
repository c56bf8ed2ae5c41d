// Groups as text: every type, every property of a group and of a bucket, in the forms that their values may have (ovs-ofctl(8), "Group
// Syntax").
import { FIELDS } from '../../../src/flow/fields.ts';
import { actionsText, port, valueText } from '../flow-lines.ts';
import type { Dice } from '../random.ts';
import { PORTS } from './peer.ts';

export type GroupVerb = 'add' | 'mod' | 'insert' | 'remove' | 'delete';

const number = (d: Dice, bits: number): string => {
  const value = d.bits(bits);
  return d.chance(2, 3) ? String(value) : `0x${value.toString(16)}`;
};

const HASHED = FIELDS.filter((field) => field.codes.length > 0);

/** Fields of a hash: alone, with a value that says which bits count, in parentheses or not. */
function hashFields(d: Dice): string {
  const one = (): string => {
    const field = d.pick(HASHED);
    const name = d.chance(1, 6) && field.alias !== undefined ? field.alias : field.name;
    return d.chance(1, 2) ? name : `${name}=${valueText(d, d.chance(5, 6) ? { ...field, maskable: false } : field)}`;
  };
  const list = Array.from({ length: 1 + d.below(3) }, one);
  return list.length === 1 && d.chance(1, 2) ? `fields=${list[0]}` : `fields(${list.join(',')})`;
}

const groupNumber = (d: Dice): string =>
  d.chance(5, 6) ? String(d.below(100)) : d.pick([number(d, 32), '4294967040', '4294967041', 'all', 'any', '-1', '', '0x10', '010']);

const portName = (d: Dice): string => (d.chance(1, 3) ? d.pick(PORTS).name : port(d));

function bucket(d: Dice, type: string): string {
  const parts: string[] = [];
  const maybe = (chance: number, text: string): void => void (d.chance(1, chance) && parts.push(text));
  if (type === 'select') maybe(2, `weight${d.pick([':', '='])}${d.chance(5, 6) ? d.below(100) : number(d, 17)}`);
  else maybe(15, `weight:${d.below(3)}`);
  if (type === 'ff' || type === 'fast_failover') parts.push(d.chance(1, 2) ? `watch_port:${portName(d)}` : `watch_group:${groupNumber(d)}`);
  else maybe(8, d.chance(1, 2) ? `watch_port:${portName(d)}` : `watch_group:${groupNumber(d)}`);
  maybe(3, `bucket_id:${d.chance(5, 6) ? d.below(6) : groupNumber(d)}`);
  if (d.chance(9, 10)) {
    const actions = actionsText(d);
    parts.push(d.chance(2, 3) ? `actions=${actions}` : actions);
  } else
    parts.push(d.pick(['drop', 'actions=', 'actions=drop', 'meter:1', 'goto_table:1', 'clear_actions', 'write_actions(output:1)', '']));
  if (d.chance(1, 12)) parts.reverse();
  return `${d.pick(['bucket=', 'bucket=', 'bucket=', 'buckets=', 'bucket:'].slice(0, d.chance(1, 30) ? 5 : 3))}${parts.join(',')}`;
}

const TYPES = ['all', 'select', 'indirect', 'ff', 'fast_failover'];

/** One group, mostly sound. */
export function groupText(d: Dice, verb: GroupVerb): string {
  const parts: string[] = [];
  const type = d.pick(TYPES);
  if (!d.chance(1, 30)) parts.push(`group_id=${groupNumber(d)}`);
  const isChange = verb === 'add' || verb === 'mod';
  if (isChange ? !d.chance(1, 30) : d.chance(1, 30)) parts.push(`type=${d.chance(1, 40) ? 'other' : type}`);
  if (isChange ? (type === 'select' ? d.chance(1, 2) : d.chance(1, 25)) : d.chance(1, 40)) {
    parts.push(`selection_method=${d.pick(['hash', 'hash', 'dp_hash', 'dp_hash', 'other', 'fifteen_letters', 'sixteen_letters_', ''])}`);
    if (d.chance(1, 3)) parts.push(`selection_method_param=${number(d, d.chance(1, 8) ? 66 : 64)}`);
    if (d.chance(1, 2)) parts.push(hashFields(d));
  } else if (d.chance(1, 40)) parts.push(d.chance(1, 2) ? hashFields(d) : 'selection_method_param=1');
  const place = (): string => d.pick(['first', 'last', 'all', '0', '1', String(d.below(99)), number(d, 32)]);
  if (verb === 'insert' || verb === 'remove') {
    if (!d.chance(1, 10)) parts.push(`command_bucket_id=${place()}`);
  } else if (d.chance(1, 40)) parts.push(`command_bucket_id=${place()}`);
  if (verb === 'delete' || verb === 'remove' ? d.chance(1, 20) : !d.chance(1, 12)) {
    const most = type === 'indirect' ? 1 : 1 + d.below(4);
    for (let i = d.chance(1, 30) ? 2 : most; i > 0; i--) parts.push(bucket(d, type));
  }
  if (d.chance(1, 20)) parts.splice(d.below(parts.length + 1), 0, d.pick(['what', 'what=1', '', ' ', 'group_id=7', 'type=all']));
  return parts.join(d.chance(1, 20) ? ', ' : ',');
}
