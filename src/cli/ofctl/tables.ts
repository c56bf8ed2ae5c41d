// The commands of ovs-ofctl about flow tables, queues' configuration and tracked connections: mod-table, dump-table-desc,
// queue-get-config, ct-flush-zone, ct-flush.
import { ConfigError } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type PortNames, parseInteger, tableNamed } from '../../flow/field-text.ts';
import { PROTOCOLS } from '../../openflow/protocols.ts';
import type { TableDesc, TableSettings } from '../../openflow/table.ts';
import type { TableFeatures } from '../../openflow/table-features.ts';
import { numberOf } from '../../openflow/text/number-text.ts';
import { formatTableFeatures } from '../../openflow/text/print-tables.ts';
import type { TlvMap } from '../../openflow/tlv-table.ts';
import { parseCtFlush } from './ct-flush-text.ts';
import { agreeOnFormat, openWithFormat } from './flow-send.ts';
import type { FlowOptions } from './flows.ts';
import { fetchPorts, namesToShow, tableOnSwitch } from './names.ts';
import type { SessionSettings } from './session.ts';
import { printAnswer, Session, showsNames, withSession } from './session.ts';
import { LOOK_UP_XIDS, portNumber } from './switch.ts';

const tableLog = logger('ofp_table');

const NO_TABLE_DESC = "dump-table-desc needs OpenFlow 1.4 or later ('-O OpenFlow14')";
/** Versions in which tables have settings that are kept: OpenFlow 1.4 and 1.5. */
const HAVE_SETTINGS = 0x60;
const ALL_TABLES = 255;
const ANY = 0xffff;
/** Of what a miss means in OpenFlow 1.1 and 1.2. */
const CONTINUE = 1;
const LAST_TABLE = 254;
/** Tables that have a number of their own: every one but that of the switch's own rules. */
const NUMBERED_TABLES = Array.from({ length: LAST_TABLE }, (_, table) => table);
const ALL_QUEUES = 0xffffffff;

/** What mod-table can set: the versions that have it, and what it does to what a table has. */
const SETTINGS: ReadonlyMap<string, { versions: number; change(before: TableSettings, argument: string): TableSettings | number }> =
  new Map([
    ['controller', { versions: 0x0c, change: () => 0 }],
    ['continue', { versions: 0x0c, change: () => CONTINUE }],
    ['drop', { versions: 0x0c, change: () => 2 }],
    ['evict', { versions: HAVE_SETTINGS, change: (before: TableSettings) => ({ ...before, evicts: true }) }],
    ['noevict', { versions: HAVE_SETTINGS, change: (before: TableSettings) => ({ ...before, evicts: false }) }],
    [
      'vacancy',
      {
        versions: HAVE_SETTINGS,
        change: (before: TableSettings, argument: string) => ({ ...before, tellsVacancy: true, vacancy: parseVacancy(argument) }),
      },
    ],
    ['novacancy', { versions: HAVE_SETTINGS, change: (before: TableSettings) => ({ ...before, tellsVacancy: false }) }],
  ]);

function parseVacancy(text: string): { down: number; up: number; now: number } {
  const [down = '', up = ''] = text.split(',').filter((part) => part !== '');
  const percent = (value: string, name: string): number => {
    if (value === '') throw new ConfigError(`Vacancy ${name} value missing`);
    const number = parseInteger(value);
    if (number === undefined || number > 100n) throw new ConfigError(`Invalid vacancy ${name} value "${value}"`);
    return Number(number);
  };
  const range = { down: percent(down, 'down'), up: percent(up, 'up'), now: 0 };
  if (range.up < range.down) {
    throw new ConfigError('Invalid vacancy range, vacancy up should be greater than vacancy down (OFPBPC_BAD_VALUE)');
  }
  return range;
}

/** A table by number; by name where the switch is to be asked. */
function parseTable(text: string): number | undefined {
  if (text.toLowerCase() === 'all') return ALL_TABLES;
  if (text.startsWith('-')) tableLog.warn(`Negative value ${text} is not a valid table number.`);
  const digits = /^[ \t\n\v\f\r]*\+?(\d+)$/.exec(text)?.[1];
  if (digits === undefined) return tableNamed(text);
  const number = BigInt(digits);
  if (number > 255n && number <= 0xffff_ffffn) tableLog.warn(`table ${number} is outside the supported range 0 through 255`);
  if (number > 255n) throw new ConfigError(`unknown table "${text}"`);
  return Number(number);
}

/**
 * As much of a table's settings as a table-mod repeats, as the reference does: the flags of eviction only beside a change of vacancy
 * (its switch leaves eviction alone when it reads them), vacancy only while it is on.
 */
const kept = (settings: TableSettings, changesEviction: boolean): TableSettings => {
  const { evicts = false, tellsVacancy = false, vacancy, evictionFlags } = settings;
  const own: TableSettings = { evicts, tellsVacancy };
  if (!changesEviction) own.evictionFlags = evictionFlags ?? 0;
  if (tellsVacancy && vacancy !== undefined) own.vacancy = { ...vacancy, now: 0 };
  return own;
};

/** A table by number, or by the name that it has on the switch. A switch that is not there is found before other faults are. */
async function tableNumber(bridge: string, text: string, settings: SessionSettings): Promise<number> {
  const session = settings.names === false ? undefined : await Session.open(bridge, settings);
  try {
    const table = parseTable(text) ?? (session === undefined ? undefined : await tableOnSwitch(session, text));
    if (table === undefined) throw new ConfigError(`unknown table "${text}"`);
    return table;
  } finally {
    session?.close();
  }
}

/** What a switch says of one of its tables. */
async function describedTable(session: Session, table: number): Promise<TableDesc | undefined> {
  for (const { message } of await session.ask({ kind: 'tableDescRequest' })) {
    const found = message.kind === 'tableDescReply' ? message.tables.find((desc) => desc.table === table) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** mod-table TABLE SETTING: of all tables in OpenFlow 1.4 and later one by one, each with what the switch said of it. */
export async function modTable(bridge: string, tableText: string, settingText: string, settings: SessionSettings): Promise<number> {
  const table = await tableNumber(bridge, tableText, settings);
  const [, word = '', mark = '', argument = ''] = /^([^:]*)(:?)(.*)$/s.exec(settingText) ?? [];
  // Of vacancy, which alone has an argument, the beginning will do.
  const isVacancy = 'vacancy'.startsWith(word);
  const name = isVacancy ? 'vacancy' : word;
  const setting = mark === '' || isVacancy ? SETTINGS.get(name) : undefined;
  if (setting === undefined) throw new ConfigError(`invalid table_mod setting ${settingText}`);
  if (setting.change({}, argument) === CONTINUE && table === LAST_TABLE)
    throw new ConfigError("last table's flow miss handling can not be continue");
  const versions = settings.versions & setting.versions;
  if (versions === 0) {
    const names = setting.versions === 0x0c ? 'OpenFlow11, OpenFlow12' : 'OpenFlow14, OpenFlow15';
    throw new ConfigError(`table_mod '${settingText}' requires one of the OpenFlow versions ${names}`);
  }
  return withSession(
    bridge,
    { ...settings, versions },
    async (session) => {
      // Who may speak of tables' settings asks for them first, in whatever version it came to.
      if (session.version < 5 && (settings.versions & HAVE_SETTINGS) !== 0) throw new ConfigError(NO_TABLE_DESC);
      if (session.version < 5) {
        const wanted = setting.change({}, argument);
        if (typeof wanted === 'number') session.connection.send({ kind: 'tableMod', table, missConfig: wanted });
        await session.barrier();
        return;
      }
      for (const one of table === ALL_TABLES ? NUMBERED_TABLES : [table]) {
        const wanted = setting.change((await describedTable(session, one)) ?? {}, argument);
        if (typeof wanted === 'number') continue;
        session.connection.send({ kind: 'tableMod', table: one, missConfig: 0, settings: kept(wanted, name.endsWith('evict')) });
        await session.barrier();
      }
    },
    settings.names === false ? 1 : 3,
  );
}

/** dump-table-desc */
export const dumpTableDesc = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    if (session.version < 5) throw new ConfigError(NO_TABLE_DESC);
    await printAnswer(session, { kind: 'tableDescRequest' }, showsNames(settings));
  });

/** dump-table-features: the parts of the answer as one. */
export const dumpTableFeatures = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, async (session) => {
    if (session.version < 4) throw new ConfigError("dump-table-features needs OpenFlow 1.3 or later ('-O OpenFlow13')");
    const tables: TableFeatures[] = [];
    for (const { message } of await session.ask({ kind: 'tableFeaturesRequest', tables: [] })) {
      if (message.kind === 'tableFeaturesReply') tables.push(...message.tables);
    }
    process.stdout.write(formatTableFeatures(tables, session.version));
  });

/** queue-get-config [PORT [QUEUE]]: before OpenFlow 1.4 a request is of one port. */
export async function queueGetConfig(
  bridge: string,
  port: string | undefined,
  queue: string | undefined,
  settings: SessionSettings,
): Promise<number> {
  const wantedQueue = queue === undefined || /^all$/i.test(queue) ? ALL_QUEUES : Number.parseInt(queue ?? '', 10) >>> 0;
  // The port is found before the connection is made that asks.
  const found = port === undefined ? { port: ANY, isLooked: false } : await portNumber(bridge, port, settings, 1);
  const number = found.port;
  const ask = async (session: Session): Promise<void> => {
    // Before OpenFlow 1.4 a port is asked about, in OpenFlow 1.0 never all of them at once.
    const isOfAll = number === ANY && session.version === 1;
    // The reference looks ports up over a connection of their own.
    if (isOfAll) session.connection.xid();
    let names: PortNames | undefined;
    const look = async (): Promise<PortNames | undefined> => {
      if (names !== undefined || !showsNames(settings)) return names;
      names = await namesToShow(session);
      // Names of ports and tables are two more connections of the reference's.
      session.connection.xid();
      session.connection.xid();
      return names;
    };
    if (session.version >= 5) return printAnswer(session, { kind: 'queueConfigRequest', port: number, queue: wantedQueue }, look);
    const ports = isOfAll ? (await fetchPorts(session)).map((desc) => desc.port).filter((one) => one < 0xff00) : [number];
    for (const one of ports) await printAnswer(session, { kind: 'queueConfigRequest', port: one, queue: ALL_QUEUES }, look);
  };
  return withSession(bridge, settings, ask, found.isLooked ? 1 + LOOK_UP_XIDS : 1);
}

/** ct-flush-zone ZONE */
export function ctFlushZone(bridge: string, zone: string, settings: SessionSettings): Promise<number> {
  const number = numberOf(zone, 16, 'zone_id');
  return withSession(bridge, settings, async (session) => {
    session.connection.send({ kind: 'ctFlushZone', zone: number });
    await session.barrier();
  });
}

/** ct-flush [zone=N] [TUPLE [TUPLE]] */
export function ctFlush(bridge: string, args: readonly string[], settings: SessionSettings): Promise<number> {
  const message = parseCtFlush(args);
  return withSession(bridge, settings, async (session) => {
    session.connection.send(message);
    await session.barrier();
  });
}

/** As C's scanf has "{class=%i,type=%i,len=%i}->tun_metadata%i". */
const TLV_NUMBER = '\\s*([+-]?(?:0x[0-9a-f]+|0[0-7]*|[1-9]\\d*))';
const TLV_MAP = new RegExp(`^,?\\{class=${TLV_NUMBER},type=${TLV_NUMBER},len=${TLV_NUMBER}\\}->tun_metadata${TLV_NUMBER}(?=,|$)`, 'i');

/** `{class=C,type=T,len=L}->tun_metadataN`, several with commas between. */
function parseTlvMaps(text: string): TlvMap[] {
  const maps: TlvMap[] = [];
  for (let rest = text; rest !== ''; ) {
    const found = TLV_MAP.exec(rest);
    if (found === null) throw new ConfigError('invalid tlv mapping');
    const [optionClass = 0, optionType = 0, size = 0, field = 0] = found
      .slice(1)
      .map((number) => Number(BigInt.asUintN(16, parseInteger(number) ?? 0n)));
    maps.push({ optionClass, optionType: optionType & 0xff, size: size & 0xff, field });
    rest = rest.slice(found[0].length);
  }
  return maps;
}

/** Formats that have the fields that options are bound to. */
const TLV_FORMATS = PROTOCOLS.filter((name) => /^(NXM|OXM)/.test(name));

/** add-tlv-map and del-tlv-map. */
export async function modTlvMap(
  bridge: string,
  command: 'add' | 'delete',
  text: string | undefined,
  options: FlowOptions,
): Promise<number> {
  const maps = text === undefined ? [] : parseTlvMaps(text);
  const session = await openWithFormat(bridge, TLV_FORMATS, options);
  try {
    await agreeOnFormat(session, TLV_FORMATS, options);
    session.connection.send({ kind: 'tlvTableMod', command: text === undefined ? 'clear' : command, maps });
    await session.barrier();
  } finally {
    session.close();
  }
  return 0;
}

/** dump-tlv-map */
export const dumpTlvMap = (bridge: string, settings: SessionSettings): Promise<number> =>
  withSession(bridge, settings, (session) => printAnswer(session, { kind: 'tlvTableRequest' }));
