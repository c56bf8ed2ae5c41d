// ovsdb-client's commands that stay and watch: monitor, monitor-cond, wait, lock.
import { hashOrder } from '../../base/hash-order.ts';
import type { UnixctlServer } from '../../daemon/plumbing/unixctl.ts';
import { runDir } from '../../host/directories.ts';
import { realClock } from '../../host/real-clock.ts';
import { parseCondition } from '../../ovsdb/engine/condition.ts';
import { parseDatum } from '../../ovsdb/engine/datum.ts';
import { type ColumnSchema, parseSchema, type TableSchema } from '../../ovsdb/engine/schema.ts';
import { type Json, type JsonObject, jsonObject } from '../../ovsdb/json/json.ts';
import { compareText, formatJson } from '../../ovsdb/json/json-format.ts';
import { parseJson } from '../../ovsdb/json/json-text.ts';
import { RpcError } from '../../ovsdb/json/jsonrpc.ts';
import { formatLogTime } from '../log-time.ts';
import type { Cell } from '../table-output.ts';
import { type ClientContext, ClientError, parseArgument, print, request } from './context.ts';

const PROGRAM = 'ovsdb-client';
/** Silence of a server after which it is asked whether it is there. */
const WAIT_PROBE_MS = 5000;

/** The reply to the request is what there was; all later is news. */
let isInitial = true;

const SELECTS = new Set(['!initial', '!insert', '!delete', '!modify']);

interface Watched {
  table: TableSchema;
  columns: ColumnSchema[];
}

export async function run(name: string, context: ClientContext): Promise<number | undefined> {
  if (name === 'wait') return wait(context);
  if (name === 'lock' || name === 'steal' || name === 'unlock') return lock(name, context);
  return monitor(name, context);
}

function parseRequest(
  table: TableSchema,
  words: readonly string[],
  where: { server: string; database: string; condition: Json | undefined },
): { watched: Watched; json: Json } {
  const requests: Json[] = [];
  const columns: ColumnSchema[] = [];
  const seen = new Set<string>();
  for (const word of words.length > 0 ? words : ['']) {
    const select: JsonObject = new Map();
    const names: string[] = [];
    for (const item of word.split(',').filter((text) => text !== '')) {
      if (SELECTS.has(item)) {
        select.set(item.slice(1), false);
      } else {
        if (!table.columns.has(item))
          throw new ClientError(`${where.server}: table "${table.name}" in ${where.database} does not have a column named "${item}"`);
        names.push(item);
      }
    }
    const chosen = names.length > 0 ? names : [...table.columns.keys()].filter((column) => !column.startsWith('_')).sort(compareText);
    if (names.length === 0) chosen.push('_version');
    for (const column of chosen) {
      if (seen.has(column)) throw new ClientError(`${where.server}: column "${column}" mentioned multiple times`);
      seen.add(column);
    }
    columns.push(...chosen.map((column) => table.columns.get(column) as ColumnSchema));
    requests.push(jsonObject({ columns: chosen, select: select.size === 0 ? undefined : select, where: where.condition }));
  }
  return { watched: { table, columns }, json: requests };
}

async function monitor(name: string, context: ClientContext): Promise<undefined> {
  const { args } = context;
  const watched = new Map<string, Watched>();
  const show = (updates: Json, version: number): void => printUpdates(updates, version, watched, context);
  /** What has come while the user wanted none. */
  let held: (() => void)[] | undefined;
  const hear = (updates: Json | undefined, version: number): void => {
    if (held === undefined) show(updates ?? null, version);
    else held.push(() => show(updates ?? null, version));
  };
  const rpc = await context.connect((method, params) => {
    if (method === 'update') hear(params[1], 1);
    else if (method === 'update2') hear(params[1], 2);
    else if (method === 'update3') hear(params[2], 2);
  });
  const database = await context.database(rpc);
  const schema = parseSchema(await request(rpc, 'get_schema', [database]));
  let since = '00000000-0000-0000-0000-000000000000';
  if (name === 'monitor-cond-since' && /^[0-9a-f-]{36}$/.test(args[0] ?? '')) since = args.shift() ?? since;
  const conditionText = name === 'monitor' ? undefined : (args.shift() ?? '');
  const requests: JsonObject = new Map();
  const [first = '', ...words] = args;
  const tables = first === 'ALL' && !schema.tables.has('ALL') ? [...schema.tables.values()] : [schema.tables.get(first)];
  const where = conditionText === undefined ? `${context.server}: ` : '';
  if (tables.includes(undefined)) throw new ClientError(`${where}${database} does not have a table named "${first}"`);
  const condition = conditionText === undefined ? undefined : parseArgument(conditionText);
  for (const table of tables) {
    if (table === undefined) continue;
    if (Array.isArray(condition)) parseCondition(condition, table);
    const { watched: one, json } = parseRequest(table, words, { server: context.server, database, condition });
    watched.set(table.name, one);
    requests.set(table.name, json);
  }
  const method = name.replaceAll('-', '_');
  const reply = await request(
    rpc,
    method,
    since !== '' && name === 'monitor-cond-since' ? [database, null, requests, since] : [database, null, requests],
  );
  if (name === 'monitor-cond-since' && Array.isArray(reply)) {
    print(`found: ${reply[0] === true ? 'true' : 'false'}, last_id: ${String(reply[1])}`);
    show(reply[2] ?? null, 2);
  } else {
    show(reply, name === 'monitor' ? 1 : 2);
  }
  isInitial = false;
  await serve(context, (control) => {
    control.register('ovsdb-client/block', '', 0, 0, () => {
      if (held !== undefined) return 'already blocking';
      held = [];
      return '';
    });
    control.register('ovsdb-client/unblock', '', 0, 0, () => {
      if (held === undefined) return 'already unblocked';
      const waiting = held;
      held = undefined;
      for (const one of waiting) one();
      return '';
    });
    control.register('ovsdb-client/cond_change', 'TABLE COND', 2, 2, ([table = '', text = '']) => {
      // What the server says of it is not told, as with the reference.
      rpc.call('monitor_cond_change', [null, null, jsonObject({ [table]: [jsonObject({ where: jsonOf(text) })] })]).catch(() => {});
      return 'condition changed';
    });
  });
  return undefined;
}

/** The value that a text is; what is none is said as a string, which the server refuses. */
function jsonOf(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    return (error as Error).message;
  }
}

/** In the background from here on, with a control socket that `register` adds commands to. */
async function serve({ background }: ClientContext, register: (control: UnixctlServer) => void): Promise<void> {
  if (background === undefined) return;
  if (background.isDetached) {
    const { UnixctlServer } = await import('../../daemon/plumbing/unixctl.ts');
    const control = new UnixctlServer(PROGRAM);
    control.register('exit', '', 0, 0, () => {
      // The answer goes first.
      setTimeout(() => {
        control.close();
        process.exit(0);
      }, 10);
      return '';
    });
    register(control);
    background.registerCommands(control);
    await control.listen(`${runDir()}/${PROGRAM}.${process.pid}.ctl`);
    process.once('exit', () => control.close());
  }
  background.ready();
}

const blank: Cell = { text: undefined };

function cells(row: JsonObject | undefined, columns: readonly ColumnSchema[]): Cell[] {
  return columns.map((column) => {
    const value = row?.get(column.name);
    if (value === undefined) return blank;
    const type = column.type.max > 1 ? { ...column.type, min: 0, max: Number.POSITIVE_INFINITY } : column.type;
    return { datum: parseDatum(value, type), type };
  });
}

function printUpdates(updates: Json, version: number, watched: ReadonlyMap<string, Watched>, context: ClientContext): void {
  if (!(updates instanceof Map)) return;
  for (const name of [...updates.keys()].sort(compareText)) {
    const rows = updates.get(name);
    const one = watched.get(name);
    if (one === undefined || !(rows instanceof Map)) continue;
    const lines: Cell[][] = [];
    for (const uuid of hashOrder([...rows.keys()])) {
      const update = rows.get(uuid);
      if (update instanceof Map) addLines(lines, uuid, update, version, one.columns);
    }
    if (lines.length === 0) continue;
    context.printer.print({
      ...(context.hasTimestamps ? { timestamp: formatLogTime(Date.now()) } : {}),
      ...(watched.size > 1 ? { caption: name } : {}),
      columns: ['row', 'action', ...one.columns.map((column) => column.name)],
      rows: lines,
    });
  }
}

function addLines(lines: Cell[][], uuid: string, update: JsonObject, version: number, columns: readonly ColumnSchema[]): void {
  const line = (action: string, row: Json | undefined, withUuid = true): void => {
    lines.push([{ text: withUuid ? uuid : '' }, { text: action }, ...cells(row instanceof Map ? row : undefined, columns)]);
  };
  if (version === 2) {
    for (const [kind, row] of update) line(kind, row);
    return;
  }
  const before = update.get('old');
  const after = update.get('new');
  if (before === undefined) line(isInitial ? 'initial' : 'insert', after);
  else if (after === undefined) line('delete', before);
  else {
    line('old', before);
    line('new', after, false);
  }
}

/** Waits, over as many connections as it takes: the server may be yet to start, or start anew meanwhile. */
async function wait(context: ClientContext): Promise<number> {
  const [database = '', state = ''] = context.args;
  if (!['added', 'connected', 'removed'].includes(state)) throw new ClientError(`${state}: unknown state`);
  const { Upstream } = await import('../../daemon/ovsdb-server/upstream.ts');
  const rows = new Map<string, JsonObject>();
  return await new Promise<number>((resolve, reject) => {
    const check = (updates: Json): void => {
      const table = updates instanceof Map ? updates.get('Database') : undefined;
      for (const [uuid, update] of table instanceof Map ? table : []) {
        const row = update instanceof Map ? update.get('new') : undefined;
        if (row instanceof Map) rows.set(uuid, row);
        else rows.delete(uuid);
      }
      const row = [...rows.values()].find((candidate) => candidate.get('name') === database);
      if (state !== 'removed' && (row === undefined || (state === 'connected' && row.get('connected') !== true))) return;
      if (state === 'removed' && row !== undefined) return;
      upstream.close();
      resolve(0);
    };
    const upstream = new Upstream([context.server], realClock, WAIT_PROBE_MS, {
      async connected(session) {
        rows.clear();
        await request(session, 'set_db_change_aware', [true]);
        check(
          await request(session, 'monitor', ['_Server', null, jsonObject({ Database: jsonObject({ columns: ['name', 'connected'] }) })]),
        );
      },
      notified(method, params) {
        if (method === 'update') check(params[1] ?? null);
      },
      disconnected() {},
      failed(error) {
        upstream.close();
        reject(error);
      },
    });
    upstream.start();
  });
}

async function lock(method: string, context: ClientContext): Promise<undefined> {
  const rpc = await context.connect((name, params) => print(formatJson([name, ...params])));
  // Whoever unlocks what it never locked waits for ever, as with the reference.
  // So does whoever is refused.
  const result = await rpc.call(method, [context.args[0] ?? '']).catch((error: unknown) => {
    if (!(error instanceof RpcError)) throw error;
  });
  if (method !== 'unlock' && result !== undefined) print(formatJson(result));
  await serve(context, (control) => {
    for (const name of ['lock', 'steal', 'unlock']) {
      control.register(name, 'LOCK', 1, 1, ([id = '']) => {
        rpc.call(name, [id]).then(
          (reply) => print(formatJson(reply)),
          () => {},
        );
        return '';
      });
    }
  });
  return undefined;
}
