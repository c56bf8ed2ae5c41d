// Damage for logs, and rows and command lines for ovs-vsctl, of values that are hard to print.
import { createHash } from 'node:crypto';
import { hardText, valueText } from './output-rows.ts';
import type { Dice } from './ovsdb-random-schema.ts';

const RECORD = /OVSDB JSON (\d+) ([0-9a-f]{40})\n/g;

/** The bodies of a log's records. */
function bodies(log: Buffer): Buffer[] {
  const text = log.toString('latin1');
  return [...text.matchAll(RECORD)].map((match) => {
    const from = match.index + match[0].length;
    return log.subarray(from, from + Number(match[1]));
  });
}

const record = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`OVSDB JSON ${body.length} ${createHash('sha1').update(body).digest('hex')}\n`), body]);

/** A log cut, with a byte changed, or with records whose checksums are right and whose content is not what was written. */
export function damagedLog(dice: Dice, log: Buffer): Buffer {
  const copy = Buffer.from(log);
  switch (dice.below(5)) {
    case 0:
      return copy.subarray(0, 1 + dice.below(copy.length));
    case 1:
      // A header that is no ASCII is told with its bytes, ours with what stands for them.
      copy[dice.below(copy.length)] = dice.below(128);
      return copy;
    case 2:
      return Buffer.concat([copy, Buffer.from(dice.pick(['\n', 'x', 'OVSDB JSON ', 'OVSDB JSON 5 ', 'OVSDB CLUSTER 1', '\0\0\0\0']))]);
    default: {
      const parts = bodies(log);
      const at = dice.below(parts.length);
      const body = Buffer.from(parts[at] as Buffer);
      const how = dice.below(4);
      // Not within a character of several bytes: such a text is none.
      const place = dice.below(body.length - 1);
      if (how === 0 && (body[place] ?? 0) < 128) body[place] = dice.pick([...Buffer.from('0149"[]{}:,aeEtnull\\.- ')]);
      else if (how === 1 && parts.length > 1) parts.splice(at, 1);
      else if (how === 2) parts.splice(dice.below(parts.length), 0, body);
      if (how === 0) parts[at] = body;
      if (how === 3) parts[at] = Buffer.from(body.toString('latin1').replace(/"_is_diff":true,?/, ''), 'latin1');
      return Buffer.concat(parts.map(record));
    }
  }
}

const strings = (dice: Dice): string => valueText(dice, { key: 'string', value: 'string', min: 0, max: 1000 });
const text = (dice: Dice): string => JSON.stringify(hardText(dice));
/** Names whose commands would take them for options or numbers are left to the other generators. */
const NAMES = ['br0', 'p1', 'e1', '__proto__', 'a b', 'ü', '"', 'x'.repeat(40)];

/** A transaction that fills the tables. */
export function vsctlRows(dice: Dice): string {
  const integers = (max: number): string => valueText(dice, { key: 'integer', value: undefined, min: 0, max });
  const operations: string[] = [];
  const add = (table: string, name: string, row: string): void =>
    void operations.push(`{"op":"insert","table":"${table}","uuid-name":"${name}","row":{${row}}}`);
  const set = (name: string, count: number): string =>
    `["set",[${Array.from({ length: count }, (_, i) => `["named-uuid","${name}${i}"]`).join(',')}]]`;
  NAMES.forEach((name, i) => {
    const quoted = JSON.stringify(name);
    add(
      'Interface',
      `i${i}`,
      `"name":${quoted},"type":${text(dice)},"options":${strings(dice)},"external_ids":${strings(dice)},"cfm_remote_mpids":${integers(1000)},"error":${text(dice)},"cfm_fault_status":${valueText(dice, { key: 'string', value: undefined, min: 0, max: 1000 })},"statistics":${valueText(dice, { key: 'string', value: 'integer', min: 0, max: 1000 })},"link_speed":${integers(1)}`,
    );
    add('Port', `p${i}`, `"name":${quoted},"interfaces":["named-uuid","i${i}"],"other_config":${strings(dice)},"mac":${text(dice)}`);
  });
  for (let i = 0; i < 3; i++) add('Queue', `q${i}`, `"other_config":${strings(dice)},"external_ids":${strings(dice)}`);
  add(
    'QoS',
    'qos0',
    `"type":${text(dice)},"queues":["map",[[0,["named-uuid","q0"]],[7,["named-uuid","q1"]],[4294967295,["named-uuid","q2"]]]]`,
  );
  add('Mirror', 'm0', `"name":${text(dice)},"external_ids":${strings(dice)},"select_vlan":["set",[1,4095]]`);
  add(
    'Bridge',
    'b0',
    `"name":"br0","ports":${set('p', NAMES.length)},"mirrors":["named-uuid","m0"],"datapath_type":${text(dice)},"other_config":${strings(dice)},"external_ids":${strings(dice)}`,
  );
  add('Manager', 'g0', `"target":${text(dice)},"status":${strings(dice)}`);
  add(
    'Open_vSwitch',
    'o0',
    `"bridges":["named-uuid","b0"],"manager_options":["named-uuid","g0"],"external_ids":${strings(dice)},"iface_types":${valueText(dice, { key: 'string', value: undefined, min: 0, max: 1000 })},"next_cfg":${valueText(dice, { key: 'integer', value: undefined, min: 1, max: 1 })}`,
  );
  operations.push('{"op":"update","table":"Port","where":[["name","==","p1"]],"row":{"qos":["named-uuid","qos0"]}}');
  return `["Open_vSwitch",${operations.join(',')}]`;
}

const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  Interface: [
    'name',
    'type',
    'options',
    'external_ids',
    'cfm_remote_mpids',
    'error',
    'cfm_fault_status',
    'statistics',
    'link_speed',
    '_uuid',
  ],
  Port: ['name', 'interfaces', 'other_config', 'mac', 'qos', 'tag'],
  Queue: ['other_config', 'external_ids'],
  QoS: ['type', 'queues'],
  Mirror: ['name', 'external_ids', 'select_vlan'],
  Bridge: ['name', 'ports', 'mirrors', 'datapath_type', 'other_config'],
  Manager: ['target', 'status'],
  Open_vSwitch: ['bridges', 'external_ids', 'iface_types', 'next_cfg', 'manager_options'],
};

const someOf = <T>(dice: Dice, items: readonly T[]): T[] => items.filter(() => dice.chance(40));

/** A command that prints values. */
export function vsctlLine(dice: Dice): string[] {
  const table = dice.pick(Object.keys(COLUMNS));
  const columns = COLUMNS[table] ?? [];
  const chosen = dice.chance(60) ? [`--columns=${[dice.pick(columns), ...someOf(dice, columns)].join(',')}`] : [];
  const oneline = dice.chance(10) ? ['--oneline', '--'] : [];
  switch (dice.below(6)) {
    case 0: {
      const names =
        table === 'Interface' || table === 'Port'
          ? [dice.pick(NAMES)]
          : table === 'Open_vSwitch'
            ? ['.']
            : table === 'Bridge'
              ? ['br0']
              : [];
      if (names.length === 0) return ['list-ports', 'br0'];
      return [...oneline, 'get', table, ...names, dice.pick(columns), ...someOf(dice, columns)];
    }
    case 1:
      return [...oneline, dice.pick(['show', 'list-ports', 'list-ifaces', 'list-br', 'get-manager']), ...[]].map((word) => word);
    case 2: {
      const column = dice.pick(columns);
      return [
        ...oneline,
        ...chosen,
        'find',
        table,
        `${column}${dice.pick(['=', '!=', '{>=}', '{<=}', '{in}', '{not-in}'])}${hardText(dice)}`,
      ];
    }
    case 3:
      return [...oneline, ...chosen, 'list', table, ...(table === 'Interface' || table === 'Port' ? someOf(dice, NAMES) : [])];
    case 4:
      return [
        ...oneline,
        'get',
        'Interface',
        dice.pick(NAMES),
        `${dice.pick(['options', 'external_ids', 'statistics'])}:${hardText(dice)}`,
      ];
    default:
      return [...oneline, ...chosen, 'list', table];
  }
}
