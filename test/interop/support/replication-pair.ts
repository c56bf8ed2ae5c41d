// Two servers that follow one another in a folder, and what they say.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const skip = existsSync('/usr/sbin/ovsdb-server') ? false : 'needs openvswitch-switch';
export const OURS = join(import.meta.dirname, '../../../bin/ovsdb-server');
export const THEIRS = '/usr/sbin/ovsdb-server';
const PATIENCE_MS = 30_000;

const string = { type: 'string' };
export const SCHEMA = {
  name: 'R',
  version: '1.0.0',
  tables: {
    T: { isRoot: true, columns: { name: string, m: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } } } },
    U: { isRoot: true, columns: { name: string, t: { type: { key: { type: 'uuid', refTable: 'N' }, min: 0, max: 'unlimited' } } } },
    N: { columns: { name: string } },
  },
};

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Words without what is of chance. */
export function plain(text: string, dir: string): string {
  return text
    .replaceAll(dir, 'DIR')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z\|\d+\|/g, 'TIME|');
}

/** Two servers in a folder, `a` and `b`. */
export class Pair {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-replication-'));
  readonly said: string[] = [];
  readonly #running = new Map<string, ChildProcess>();
  readonly #sockets: Socket[] = [];

  constructor() {
    writeFileSync(join(this.dir, 'schema'), JSON.stringify(SCHEMA));
    writeFileSync(join(this.dir, 'schema2'), JSON.stringify({ ...SCHEMA, version: '1.1.0' }));
    for (const name of ['a', 'b']) execFileSync('/usr/bin/ovsdb-tool', ['create', `${name}.db`, 'schema'], { cwd: this.dir });
  }

  async start(name: string, program: string, ...args: string[]): Promise<void> {
    const { dir } = this;
    const words = [`--remote=punix:${dir}/${name}.sock`, `--unixctl=${dir}/${name}.ctl`, '-vconsole:off', ...args];
    const env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
    this.#running.set(name, spawn(program, words, { cwd: dir, env, stdio: 'ignore' }));
    await this.until(name, 'version', (text) => text.includes('ovsdb-server'));
  }

  async stop(name: string): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    for (const end of ['sock', 'ctl']) rmSync(join(this.dir, `${name}.${end}`), { force: true });
  }

  #words(program: string, ...args: string[]): Promise<string> {
    return new Promise((resolve) => {
      execFile(program, args, { cwd: this.dir, encoding: 'utf8', timeout: PATIENCE_MS }, (_, stdout, stderr) =>
        resolve(`${stdout}${stderr}`),
      );
    });
  }

  control(name: string, ...args: string[]): Promise<string> {
    return this.#words('/usr/bin/ovs-appctl', '-t', `${this.dir}/${name}.ctl`, ...args);
  }

  client(name: string, command: string, ...args: string[]): Promise<string> {
    return this.#words('/usr/bin/ovsdb-client', '-t20', '-vconsole:off', command, `unix:${this.dir}/${name}.sock`, ...args);
  }

  /** Waits until a control command says what it should. */
  async until(name: string, command: string, holds: (text: string) => boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const text = await this.control(name, command);
      if (holds(text)) return;
      assert.ok(Date.now() < end, `${name} ${command}: ${text}`);
      await pause(50);
    }
  }

  /** Waits until a table of a server has these names. */
  async names(name: string, table: string, wanted: string): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const text = await this.client(name, 'dump', 'R', table, 'name');
      const have = text.trim().split('\n').slice(3).join(' ');
      if (have === wanted) return;
      assert.ok(Date.now() < end, `${name} ${table}: want ${wanted}, have ${text}`);
      await pause(50);
    }
  }

  note(title: string, text: string): void {
    this.said.push(`${title}: ${plain(text, this.dir)}`);
  }

  async sayControl(...args: string[]): Promise<void> {
    this.note(plain(args.join(' '), this.dir), await this.control('b', ...args));
  }

  async sayClient(command: string, ...args: string[]): Promise<void> {
    const text = await this.client('b', command, ...args);
    this.note([command, ...args].join(' '), command === 'dump' ? text : text.split('\n').sort().join('\n'));
  }

  /** Sends messages on one connection; says all that comes back until `count` messages have. */
  async sayRaw(count: number, ...messages: object[]): Promise<void> {
    const socket = createConnection(`${this.dir}/b.sock`);
    this.#sockets.push(socket);
    let text = '';
    socket.on('data', (bytes) => (text += bytes.toString()));
    socket.on('error', () => {});
    for (const message of messages) socket.write(JSON.stringify(message));
    const end = Date.now() + PATIENCE_MS;
    while ((text.match(/"id":(?!\d+,"method")/g) ?? []).length < count) {
      assert.ok(Date.now() < end, text);
      await pause(20);
    }
    socket.destroy();
    // What a relay answers by itself may come before or after what it has to ask for: the reply to request 3 is put first.
    const parts = text.split(/(?<=\})(?=\{"id")/);
    const isThird = (part: string): boolean => part.startsWith('{"id":3,');
    this.note(JSON.stringify(messages), [...parts.filter(isThird), ...parts.filter((part) => !isThird(part))].join(''));
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const name of [...this.#running.keys()]) await this.stop(name);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export const insert = (table: string, name: string): object => ({ op: 'insert', table, row: { name } });
export const transact = (...operations: object[]): string => JSON.stringify(['R', ...operations]);
export const isReplicating = (text: string): boolean => text.includes('replicating');
