// Names of ports and tables for flow text. The switch is asked only when a text holds a name, or names are to be printed.

import { type LogRecord, type LogSink, setLogSink } from '../../base/log.ts';
import { type PortNames, tableNamed } from '../../flow/field-text.ts';
import type { PortDesc } from '../../openflow/message.ts';
import type { Session } from './session.ts';

/** All ports of a switch. */
export async function fetchPorts(session: Session): Promise<PortDesc[]> {
  if (session.version >= 4) return portDescs(session);
  const [reply] = await session.ask({ kind: 'featuresRequest' });
  const ports = reply?.message.kind === 'featuresReply' ? (reply.message.ports ?? []) : [];
  return ports;
}

async function portDescs(session: Session): Promise<PortDesc[]> {
  const parts = await session.ask({ kind: 'portDescRequest', port: 0xffff });
  return parts.flatMap(({ message }) => (message.kind === 'portDescReply' ? message.ports : []));
}

/** The names of tables that have one. Names that several tables have mean none of them. */
async function fetchTables(session: Session): Promise<Map<number, string>> {
  const tables = new Map<number, string>();
  const note = (table: number, name: string): void => {
    if (name !== '') tables.set(table, name);
  };
  if (session.version >= 4) {
    for (const { message } of await session.ask({ kind: 'tableFeaturesRequest', tables: [] })) {
      if (message.kind === 'tableFeaturesReply') for (const { table, name } of message.tables) note(table, name ?? '');
    }
  } else {
    for (const { message } of await session.ask({ kind: 'tableStatsRequest' })) {
      if (message.kind === 'tableStatsReply') for (const { table, name } of message.tables) note(table, name);
    }
  }
  return tables;
}

/** Lookups over a list of ports. A name that several have means none of them. */
export function namesOf(ports: readonly PortDesc[]): Pick<Required<PortNames>, 'number' | 'name'> {
  const byName = new Map<string, number | undefined>();
  for (const { name, port } of ports) byName.set(name, byName.has(name) ? undefined : port);
  const byNumber = new Map(ports.filter(({ name }) => byName.get(name) !== undefined).map(({ port, name }) => [port, name]));
  return { number: (name) => byName.get(name), name: (port) => byNumber.get(port) };
}

function tableNumbers(tables: ReadonlyMap<number, string>): (name: string) => number | undefined {
  const byName = new Map<string, number | undefined>();
  for (const [table, name] of tables) byName.set(name, byName.has(name) ? undefined : table);
  return (name) => byName.get(name);
}

/** What the ports and tables of a switch are called. */
export async function namesToShow(session: Session): Promise<PortNames> {
  const { name } = namesOf(await fetchPorts(session));
  const tables = await fetchTables(session);
  const numbers = tableNumbers(tables);
  const tableName = (table: number): string | undefined => {
    const text = tables.get(table);
    return text !== undefined && numbers(text) !== undefined ? text : undefined;
  };
  return { name, tableName };
}

/** The number of a table by its name; ends the session. */
export async function tableOnSwitch(session: Session, name: string): Promise<number | undefined> {
  try {
    return tableNamed(name, { tableNumber: tableNumbers(await fetchTables(session)) });
  } finally {
    session.close();
  }
}

/** Keeps what is logged until it is known whether it is to be. */
class HeldLog {
  readonly #records: LogRecord[] = [];
  readonly #before: LogSink;

  constructor() {
    this.#before = setLogSink({
      shows: (module, level) => this.#before.shows(module, level),
      write: (record) => void this.#records.push(record),
    });
  }

  end(isKept: boolean): void {
    setLogSink(this.#before);
    if (isKept) for (const record of this.#records) this.#before.write(record);
  }
}

/** Runs `parse` without names, and again with those of the switch when it asked for one that nobody knew. */
export async function withNames<T>(open: () => Promise<Session>, accept: boolean, parse: (names: PortNames) => T): Promise<T> {
  let asksPorts = false;
  let asksTables = false;
  const probe: PortNames = {
    number: () => {
      asksPorts = true;
      return undefined;
    },
    tableNumber: () => {
      asksTables = true;
      // Reading goes on, so that names of ports behind it are noticed too.
      return 0;
    },
  };
  const log = new HeldLog();
  let isDone = false;
  try {
    const value = parse(probe);
    isDone = !(asksPorts || asksTables);
    if (isDone) return value;
  } catch (error) {
    isDone = !(asksPorts || asksTables);
    if (isDone) throw error;
  } finally {
    // What is read anew says what it has to say anew.
    log.end(isDone);
  }
  if (!accept) return parse({});
  const session = await open();
  try {
    // A name that was not known may have hidden others: both lists are had then.
    const { number } = namesOf(await fetchPorts(session));
    return parse({ number, tableNumber: tableNumbers(await fetchTables(session)) });
  } finally {
    session.close();
  }
}
