// ovsdb-tool: works on database files directly.
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { decodeText } from '../base/byte-text.ts';
import { useSha1 } from '../base/cryptography.ts';
import { errnoOf, strerror, systemErrno } from '../base/errno.ts';
import { errorText } from '../base/errors.ts';
import { OPEN_VSWITCH_VERSION, versionText } from '../base/version.ts';
import { DatabaseFile, lockFileName, readDatabaseFile, readDatabaseSchema } from '../daemon/ovsdb-server/file.ts';
import { FileLog } from '../daemon/ovsdb-server/file-log.ts';
import { logKind, readClusterRecords } from '../daemon/ovsdb-server/file-records.ts';
import { dbDir } from '../host/directories.ts';
import { opensslSha1 } from '../host/ffi.ts';
import { fileName } from '../host/file-name.ts';
import { replayRecord, snapshotToJson } from '../ovsdb/engine/commit-json.ts';
import { Database } from '../ovsdb/engine/database.ts';
import { OvsdbError } from '../ovsdb/engine/error.ts';
import { executeTransaction } from '../ovsdb/engine/execute.ts';
import { type DatabaseSchema, parseSchema, schemaToJson } from '../ovsdb/engine/schema.ts';
import type { Json } from '../ovsdb/json/json.ts';
import { formatJson } from '../ovsdb/json/json-format.ts';
import { parseJson } from '../ovsdb/json/json-text.ts';
import { applyLogOptions, fail, LOG_OPTIONS, type OptionSpec, optionList, parseUntilFault, startToolLog, UsageError } from './options.ts';

const PROGRAM = 'ovsdb-tool';
const OPTIONS: readonly OptionSpec[] = [
  { name: 'more', short: 'm' },
  { name: 'rbac-role', argument: 'required' },
  { name: 'cid', argument: 'required' },
  { name: 'election-timer', argument: 'required' },
  ...LOG_OPTIONS.filter(({ name }) => name === 'verbose'),
  { name: 'help', short: 'h' },
  { name: 'option', short: 'o' },
  { name: 'version', short: 'V' },
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
    text = decodeText(readFileSync(fileName(path)));
  } catch (error) {
    const errno = systemErrno(error);
    const what = errno === errnoOf('EISDIR') ? 'reading JSON stream' : `opening "${path}"`;
    throw new Error(`failed to read schema: "${path}" could not be read as JSON (error ${what}: ${strerror(errno)})`);
  }
  let json: Json;
  try {
    if (text === '') throw new Error('line 0, column 0, byte 0: empty input stream');
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
  return parseSchema(readDatabaseSchema(path));
}

function withFile<T>(path: string, isReadOnly: boolean, fn: (file: DatabaseFile) => T): T {
  const file = DatabaseFile.open(path, { isReadOnly, isStrict: true });
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

function transact(path: string, text: string, isReadOnly: boolean, role: string): void {
  withFile(path, isReadOnly, ({ database }) => {
    const params = parseArgument(text);
    const [name, ...operations] = Array.isArray(params) ? params : [];
    if (!Array.isArray(params) || name !== database.schema.name) {
      print(formatJson(transactFault(params).toJson(), { sort: true }));
      return;
    }
    const outcome = executeTransaction(database, operations, { client: { role, id: undefined } });
    if (outcome.kind === 'done') print(formatJson(outcome.result, { sort: true }));
  });
}

function transactFault(params: Json): OvsdbError {
  return new OvsdbError('syntax error', Array.isArray(params) ? 'database name expected as first parameter' : 'array expected', {
    syntax: params,
  });
}

function convert(path: string, schemaPath: string, target: string | undefined): void {
  const schema = readSchema(schemaPath);
  withLocked(path, target !== undefined, (file) => {
    // What the file leaves out has the new schema's defaults. Where the new schema is broken by the rest, the reference leaves all of it out without a word.
    const converted = new Database(schema);
    replayRecord(converted, snapshotToJson(file.database, '', 0), true);
    const comment = `converted by ovsdb-tool ${OPEN_VSWITCH_VERSION}`;
    if (target !== undefined) {
      replaceFile(target, schema, snapshotToJson(converted, comment, Date.now()));
      return;
    }
    file.database.replaceWith(converted);
    file.compactNow(comment);
  });
}

/** Writes a database over whatever has its name. */
function replaceFile(target: string, schema: DatabaseSchema, snapshot: Json): void {
  if (existsSync(fileName(target))) readDatabaseFile(target, () => {});
  const temporary = `${target}.tmp`;
  rmSync(fileName(temporary), { force: true });
  DatabaseFile.create(temporary, schema, snapshot);
  renameSync(fileName(temporary), fileName(target));
  rmSync(fileName(lockFileName(temporary)), { force: true });
}

/** Opens a database to rewrite it; a lock held by another is told without its kind, as the reference does. */
function withLocked(path: string, isReadOnly: boolean, fn: (file: DatabaseFile) => void): void {
  try {
    withFile(path, isReadOnly, fn);
  } catch (error) {
    if (error instanceof OvsdbError && error.details.endsWith('failed to lock lockfile'))
      throw new Error(error.message.replace('I/O error: ', ''));
    throw error;
  }
}

function compact(path: string, target: string | undefined): void {
  const comment = `compacted by ovsdb-tool ${OPEN_VSWITCH_VERSION}`;
  withLocked(path, target !== undefined, (file) => {
    if (target === undefined) file.compactNow(comment);
    else replaceFile(target, file.database.schema, snapshotToJson(file.database, comment, Date.now()));
  });
}

function compareVersions(args: readonly string[]): boolean {
  const [a = '', op = '', b = ''] = args;
  // As `%d.%d.%d` of scanf reads them.
  const isNumbered = /^\s*[-+]?\d+\.\s*[-+]?\d+\.\s*[-+]?\d+$/;
  for (const version of [a, b]) if (!isNumbered.test(version)) throw new Error(`${version}: not an OVSDB version number in format x.y.z`);
  const numbers = (version: string): number[] =>
    version.split('.').map((part) => Number(BigInt.asUintN(32, BigInt(part.trim().replace('+', '')))));
  const x = numbers(a);
  const y = numbers(b);
  const order = [0, 1, 2].map((i) => (x[i] ?? 0) - (y[i] ?? 0)).find((d) => d !== 0) ?? 0;
  const tests = new Map([
    ['<', order < 0],
    ['<=', order <= 0],
    ['==', order === 0],
    ['>', order > 0],
    ['>=', order >= 0],
    ['!=', order !== 0],
  ]);
  const result = tests.get(op);
  if (result === undefined) throw new Error(`${op}: not a relational operator`);
  return result;
}

async function showLog(path: string, detail: number): Promise<number> {
  const { LogPrinter } = await import('./ovsdb-tool/log.ts');
  const printer = new LogPrinter(detail, (text) => void process.stdout.write(text));
  if (logKind(path) === 'CLUSTER') {
    readClusterRecords(path, (json, number) => printer.clusterRecord(json, number));
    return 0;
  }
  const { fault, faultTag } = readDatabaseFile(path, (json, number) => printer.record(json, number));
  return fault === '' ? 0 : fail(PROGRAM, `${faultTag}: ${fault}`);
}

interface Settings {
  /** How much `show-log` tells. */
  detail: number;
  role: string;
  electionTimer: number | undefined;
  clusterId: string | undefined;
}

interface Command {
  min: number;
  max: number;
  run(args: string[], settings: Settings): unknown;
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
  ['db-name', { min: 0, max: 1, run: ([db]) => databaseName(db ?? defaultDatabase()) }],
  ['db-version', { min: 0, max: 1, run: ([db]) => print(fileSchema(db ?? defaultDatabase()).version) }],
  ['db-cksum', { min: 0, max: 1, run: ([db]) => print(fileSchema(db ?? defaultDatabase()).cksum) }],
  ['schema-name', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).name) }],
  ['schema-version', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).version) }],
  ['schema-cksum', { min: 0, max: 1, run: ([schema]) => print(readSchema(schema ?? defaultSchema()).cksum) }],
  ['compare-versions', { min: 3, max: 3, run: (args) => (compareVersions(args) ? 0 : 2) }],
  [
    'query',
    {
      min: 1,
      max: 2,
      run: (args, { role }) => transact(args.length > 1 ? (args[0] ?? '') : defaultDatabase(), args.at(-1) ?? '', true, role),
    },
  ],
  [
    'transact',
    {
      min: 1,
      max: 2,
      run: (args, { role }) => transact(args.length > 1 ? (args[0] ?? '') : defaultDatabase(), args.at(-1) ?? '', false, role),
    },
  ],
  ['show-log', { min: 0, max: 1, run: ([db], { detail }) => showLog(db ?? defaultDatabase(), detail) }],
  ['db-is-standalone', { min: 1, max: 1, run: ([db = '']) => (isClustered(db) ? 2 : 0) }],
  ['db-is-clustered', { min: 1, max: 1, run: ([db = '']) => (isClustered(db) ? 0 : 2) }],
  ['db-cid', { min: 1, max: 1, run: ([db = '']) => showMember(db, 'clusterId') }],
  ['db-sid', { min: 1, max: 1, run: ([db = '']) => showMember(db, 'serverId') }],
  ['db-local-address', { min: 1, max: 1, run: ([db = '']) => showMember(db, 'localAddress') }],
  [
    'cluster-to-standalone',
    {
      min: 2,
      max: 2,
      run: ([target = '', db = '']) => {
        if (existsSync(fileName(target))) throw new Error(`I/O error: ${target}: create failed (File exists)`);
        if (!isClustered(db)) {
          FileLog.create(target, []);
          throw new Error('Database is not clustered db.\n');
        }
        return cluster((m) => m.clusterToStandalone(target, db));
      },
    },
  ],
  ['check-cluster', { min: 1, max: Number.POSITIVE_INFINITY, run: (paths) => checkCluster(paths) }],
  [
    'create-cluster',
    {
      min: 3,
      max: 3,
      run: ([db = '', contents = '', local = ''], { electionTimer }) => cluster((m) => m.createCluster(db, contents, local, electionTimer)),
    },
  ],
  [
    'join-cluster',
    {
      min: 4,
      max: Number.POSITIVE_INFINITY,
      run: ([db = '', name = '', ...addresses], { clusterId }) => cluster((m) => m.joinCluster(db, name, addresses, clusterId)),
    },
  ],
  ['help', { min: 0, max: Number.POSITIVE_INFINITY, run: () => showUsage() }],
]);

async function cluster<T>(fn: (module: typeof import('./ovsdb-tool/cluster.ts')) => T): Promise<T> {
  return fn(await import('./ovsdb-tool/cluster.ts'));
}

async function checkCluster(paths: readonly string[]): Promise<void> {
  (await import('./ovsdb-tool/check.ts')).checkCluster(paths, print);
}

function needsConversion(db: string, schemaPath: string): boolean {
  const text = (schema: DatabaseSchema): string => formatJson(schemaToJson(schema), { sort: true });
  return text(fileSchema(db)) !== text(readSchema(schemaPath));
}

/** Prints a member of a cluster file's first record; 2 when it is not known yet. */
async function showMember(db: string, member: 'clusterId' | 'serverId' | 'localAddress'): Promise<number> {
  if (!isClustered(db)) throw new Error(`${db}: not a clustered database`);
  const value = (await cluster((m) => m.readClusterHeader(db)))[member];
  if (value === undefined) {
    process.stderr.write(`${db}: cluster ID not yet known\n`);
    return 2;
  }
  print(value);
  return 0;
}

async function databaseName(db: string): Promise<void> {
  print(isClustered(db) ? (await cluster((m) => m.readClusterHeader(db))).name : fileSchema(db).name);
}

const isClustered = (db: string): boolean => logKind(db) === 'CLUSTER';

async function showUsage(): Promise<void> {
  const { usage } = await import('./ovsdb-tool/usage.ts');
  process.stdout.write(usage(defaultSchema()));
}

/** Runs the tool. */
export async function main(argv: string[]): Promise<number> {
  useSha1(opensslSha1);
  const output = startToolLog(PROGRAM);
  const settings: Settings = { detail: 0, role: '', electionTimer: undefined, clusterId: undefined };
  try {
    const { options, operands, fault } = parseUntilFault(argv, OPTIONS);
    for (const option of options) {
      const { name, value = '' } = option;
      applyLogOptions([option], output);
      if (name === 'more') settings.detail++;
      else if (name === 'rbac-role') settings.role = value;
      else if (name === 'election-timer') settings.electionTimer = await cluster((m) => m.checkElectionTimer(value));
      else if (name === 'cid') {
        await cluster((m) => m.checkClusterId(value));
        settings.clusterId = value;
      } else if (name === 'version') {
        print(versionText(PROGRAM));
        return 0;
      } else if (name === 'help') {
        await showUsage();
        return 0;
      } else if (name === 'option') {
        process.stdout.write(optionList(OPTIONS));
        return 0;
      }
    }
    if (fault !== undefined) throw fault;
    const [name, ...args] = operands;
    if (name === undefined) throw new UsageError('missing command name; use --help for help');
    const command = commands.get(name);
    if (command === undefined) throw new UsageError(`unknown command '${name}'; use --help for help`);
    if (args.length < command.min) throw new UsageError(`'${name}' command requires at least ${command.min} arguments`);
    if (args.length > command.max) throw new UsageError(`'${name}' command takes at most ${command.max} arguments`);
    const code = await command.run(args, settings);
    return typeof code === 'number' ? code : 0;
  } catch (error) {
    // What reads a standalone database is told of another kind of file; these commands know it.
    const text = errorText(error).replace(/cannot open file with magic CLUSTER$/, 'cannot apply this operation to clustered database file');
    return fail(PROGRAM, text);
  }
}
