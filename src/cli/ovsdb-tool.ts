// ovsdb-tool: works on database files directly.
import { readFileSync } from 'node:fs';
import { strerror, systemErrno } from '../base/errno.ts';
import { errorText } from '../base/errors.ts';
import { OPEN_VSWITCH_VERSION, versionText } from '../base/version.ts';
import { convertDatabase, DatabaseFile, readDatabaseFile } from '../daemon/ovsdb-server-file.ts';
import { dbDir } from '../host/directories.ts';
import { snapshotToJson } from '../ovsdb/commit-json.ts';
import { OvsdbError } from '../ovsdb/error.ts';
import { executeTransaction } from '../ovsdb/execute.ts';
import { type Json, parseJson } from '../ovsdb/json.ts';
import { formatJson } from '../ovsdb/json-format.ts';
import { type DatabaseSchema, isVersion, parseSchema, schemaToJson } from '../ovsdb/schema.ts';
import { applyLogOptions, fail, LOG_OPTIONS, type OptionSpec, parseOptions, setAlarm, startToolLog, UsageError } from './options.ts';

const PROGRAM = 'ovsdb-tool';
const OPTIONS: readonly OptionSpec[] = [
  { name: 'more', short: 'm' },
  { name: 'rbac-role', argument: 'required' },
  { name: 'cid', argument: 'required' },
  { name: 'election-timer', argument: 'required' },
  { name: 'help', short: 'h' },
  { name: 'version', short: 'V' },
  { name: 'timeout', short: 't', argument: 'required' },
  ...LOG_OPTIONS,
];

const defaultDatabase = (): string => `${dbDir()}/conf.db`;
const defaultSchema = (): string => {
  const dir = process.env['OVS_PKGDATADIR'];
  return dir === undefined ? new URL('../../schemas/vswitch.ovsschema', import.meta.url).pathname : `${dir}/vswitch.ovsschema`;
};

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Reads a schema file; throws an error whose text is the reference's. */
export function readSchema(path: string): DatabaseSchema {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(
      `failed to read schema: "${path}" could not be read as JSON (error opening "${path}": ${strerror(systemErrno(error))})`,
    );
  }
  let json: Json;
  try {
    json = parseJson(text);
  } catch (error) {
    throw new Error(`failed to read schema: "${path}" could not be read as JSON (${errorText(error)})`);
  }
  try {
    return parseSchema(json);
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    const where = error.syntax === undefined ? '' : `syntax "${error.syntax}": `;
    throw new Error(`${where}${error.tag}: failed to parse "${path}" as ovsdb schema: ${error.details}`);
  }
}

function fileSchema(path: string): DatabaseSchema {
  let schema: DatabaseSchema | undefined;
  readDatabaseFile(path, (json, number) => {
    if (number === 0) schema = parseSchema(json);
  });
  return schema as DatabaseSchema;
}

function withFile<T>(path: string, isReadOnly: boolean, fn: (file: DatabaseFile) => T): T {
  const file = DatabaseFile.open(path, { isReadOnly });
  try {
    return fn(file);
  } finally {
    file.close();
  }
}

function parseArgument(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw new Error(`"${text}": ${errorText(error)}`);
  }
}

function transact(path: string, text: string, isReadOnly: boolean): void {
  const params = parseArgument(text);
  withFile(path, isReadOnly, ({ database }) => {
    const [name, ...operations] = Array.isArray(params) ? params : [];
    if (!Array.isArray(params) || name !== database.schema.name) {
      print(formatJson(transactFault(params).toJson(), { sort: true }));
      return;
    }
    const outcome = executeTransaction(database, operations);
    if (outcome.kind === 'done') print(formatJson(outcome.result, { sort: true }));
  });
}

function transactFault(params: Json): OvsdbError {
  return new OvsdbError('syntax error', 'database name expected as first parameter', { syntax: params });
}

function convert(path: string, schemaPath: string, target: string | undefined): void {
  const schema = readSchema(schemaPath);
  withFile(path, target !== undefined, (file) => {
    const converted = convertDatabase(file.database, schema);
    const comment = `converted by ovsdb-tool ${OPEN_VSWITCH_VERSION}`;
    if (target !== undefined) {
      DatabaseFile.create(target, schema, snapshotToJson(converted, comment, Date.now()));
      return;
    }
    file.database.replaceWith(converted);
    file.compact(comment);
  });
}

function compact(path: string, target: string | undefined): void {
  const comment = `compacted by ovsdb-tool ${OPEN_VSWITCH_VERSION}`;
  withFile(path, target !== undefined, (file) => {
    if (target === undefined) file.compact(comment);
    else DatabaseFile.create(target, file.database.schema, snapshotToJson(file.database, comment, Date.now()));
  });
}

function compareVersions(args: readonly string[]): boolean {
  const [a = '', op = '', b = ''] = args;
  for (const version of [a, b]) if (!isVersion(version)) throw new Error(`${version}: not an OVSDB version number in format x.y.z`);
  const x = a.split('.').map(Number);
  const y = b.split('.').map(Number);
  const order = [0, 1, 2].map((i) => (x[i] ?? 0) - (y[i] ?? 0)).find((d) => d !== 0) ?? 0;
  const tests = new Map([
    ['<', order < 0],
    ['<=', order <= 0],
    ['==', order === 0],
    ['=', order === 0],
    ['>', order > 0],
    ['>=', order >= 0],
    ['!=', order !== 0],
  ]);
  const result = tests.get(op);
  if (result === undefined) throw new Error(`${op}: not a relational operator`);
  return result;
}

async function showLog(path: string, detail: number): Promise<void> {
  const { LogPrinter } = await import('./ovsdb-tool-log.ts');
  const printer = new LogPrinter(detail, print);
  const { fault } = readDatabaseFile(path, (json, number) => printer.record(json, number));
  if (fault !== '') process.stderr.write(`${PROGRAM}: syntax error: ${fault}\n`);
}

interface Command {
  min: number;
  max: number;
  run(args: string[], detail: number): void | number | Promise<void>;
}

const commands = new Map<string, Command>([
  [
    'create',
    { min: 0, max: 2, run: ([db, schema]) => DatabaseFile.create(db ?? defaultDatabase(), readSchema(schema ?? defaultSchema())) },
  ],
  ['compact', { min: 0, max: 2, run: ([db, target]) => compact(db ?? defaultDatabase(), target) }],
  ['convert', { min: 0, max: 3, run: ([db, schema, target]) => convert(db ?? defaultDatabase(), schema ?? defaultSchema(), target) }],
  [
    'needs-conversion',
    { min: 0, max: 2, run: ([db, schema]) => print(needsConversion(db ?? defaultDatabase(), schema ?? defaultSchema()) ? 'yes' : 'no') },
  ],
  ['db-name', { min: 0, max: 1, run: ([db]) => print(fileSchema(db ?? defaultDatabase()).name) }],
  ['db-version', { min: 0, max: 1, run: ([db]) => print(fileSchema(db ?? defaultDatabase()).version) }],
  ['db-cksum', { min: 0, max: 1, run: ([db]) => print(fileSchema(db ?? defaultDatabase()).cksum) }],
  ['schema-name', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).name) }],
  ['schema-version', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).version) }],
  ['schema-cksum', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).cksum) }],
  ['compare-versions', { min: 3, max: 3, run: (args) => (compareVersions(args) ? 0 : 2) }],
  ['query', { min: 1, max: 2, run: (args) => transact(args.length > 1 ? (args[0] ?? '') : defaultDatabase(), args.at(-1) ?? '', true) }],
  [
    'transact',
    { min: 1, max: 2, run: (args) => transact(args.length > 1 ? (args[0] ?? '') : defaultDatabase(), args.at(-1) ?? '', false) },
  ],
  ['show-log', { min: 0, max: 1, run: ([db], detail) => showLog(db ?? defaultDatabase(), detail) }],
  ['db-is-standalone', { min: 1, max: 1, run: ([db = '']) => void fileSchema(db) }],
  ['db-is-clustered', { min: 1, max: 1, run: ([db = '']) => (isClustered(db) ? 0 : 2) }],
  ['help', { min: 0, max: Number.POSITIVE_INFINITY, run: () => void process.stdout.write(USAGE) }],
]);

function needsConversion(db: string, schemaPath: string): boolean {
  const text = (schema: DatabaseSchema): string => formatJson(schemaToJson(schema), { sort: true });
  return text(fileSchema(db)) !== text(readSchema(schemaPath));
}

function isClustered(db: string): boolean {
  try {
    fileSchema(db);
    return false;
  } catch (error) {
    if (error instanceof OvsdbError && error.details.includes('CLUSTER')) return true;
    throw error;
  }
}

const USAGE = `ovsdb-tool: Open vSwitch database management utility
usage: ovsdb-tool [OPTIONS] COMMAND [ARG...]
  create [DB [SCHEMA]]    create DB with the given SCHEMA
  compact [DB [DST]]      compact DB in-place (or to DST)
  convert [DB [SCHEMA [DST]]]   convert DB to SCHEMA (to DST)
  db-name [DB]            report name of schema used by DB
  db-version [DB]         report version of schema used by DB
  db-cksum [DB]           report checksum of schema used by DB
  db-is-clustered DB      test whether DB is clustered
  db-is-standalone DB     test whether DB is standalone
  schema-name [SCHEMA]    report SCHEMA's name
  schema-version [SCHEMA] report SCHEMA's schema version
  schema-cksum [SCHEMA]   report SCHEMA's checksum
  compare-versions A OP B  compare OVSDB schema version numbers
  query [DB] TRNS         execute read-only transaction on DB
  transact [DB] TRNS      execute read/write transaction on DB
  [-m]... show-log [DB]   print DB's log entries
`;

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  const output = startToolLog(PROGRAM);
  let detail = 0;
  try {
    const { options, operands } = parseOptions(argv, OPTIONS);
    applyLogOptions(options, output);
    for (const { name, value = '' } of options) {
      if (name === 'more') detail++;
      else if (name === 'timeout') setAlarm(Number(value));
      else if (name === 'version') {
        print(versionText(PROGRAM));
        return 0;
      } else if (name === 'help') {
        process.stdout.write(USAGE);
        return 0;
      }
    }
    const [name, ...args] = operands;
    if (name === undefined) throw new UsageError('missing command name; use --help for help');
    const command = commands.get(name);
    if (command === undefined) throw new UsageError(`unknown command '${name}'; use --help for help`);
    if (args.length < command.min) throw new UsageError(`'${name}' command requires at least ${command.min} arguments`);
    if (args.length > command.max) throw new UsageError(`'${name}' command takes at most ${command.max} arguments`);
    return (await command.run(args, detail)) ?? 0;
  } catch (error) {
    return fail(PROGRAM, errorText(error));
  }
}
