// A server in a folder of its own, and its clients.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RandomSchema } from './ovsdb-random-schema.ts';
import { RawRpc } from './raw-rpc.ts';

/** One of two servers that are given the same. */
export class Side {
  readonly dir: string;
  readonly program: string;
  #process: ChildProcess | undefined;
  clients: RawRpc[] = [];

  constructor(dir: string, program: string) {
    this.dir = dir;
    this.program = program;
    mkdirSync(dir);
  }

  /** Makes an empty database; gives its path. */
  create(schema: RandomSchema, name = 'db'): string {
    writeFileSync(join(this.dir, 'schema'), schema.text);
    execFileSync('/usr/bin/ovsdb-tool', ['create', join(this.dir, name), join(this.dir, 'schema')]);
    return join(this.dir, name);
  }

  get socket(): string {
    return join(this.dir, 's');
  }

  async start(dbs: readonly string[], clients = 2): Promise<void> {
    const { socket } = this;
    rmSync(socket, { force: true });
    const env = { ...process.env, OVS_RUNDIR: this.dir, OVS_LOGDIR: this.dir, OVS_DBDIR: this.dir };
    const args = [`--remote=punix:${socket}`, `--unixctl=${join(this.dir, 'ctl')}`, '-vconsole:off', ...dbs];
    this.#process = spawn(this.program, args, { env, stdio: 'ignore' });
    const child = this.#process;
    this.ended = new Promise((resolve) => child.on('exit', resolve));
    for (let i = 0; i < 2400 && !existsSync(socket); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    this.clients = [];
    for (let i = 0; i < clients; i++) this.clients.push(await RawRpc.open(socket));
  }

  /** Once the process has ended by itself. */
  ended: Promise<unknown> = Promise.resolve();

  get isAlive(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    const child = this.#process;
    if (child === undefined || !this.isAlive) return;
    const exited = new Promise((resolve) => child.on('exit', resolve));
    child.kill();
    await exited;
  }

  async contents(schema: RandomSchema, client = 0): Promise<string[]> {
    const list: string[] = [];
    for (const { name } of schema.tables)
      list.push((await this.clients[client]?.call('transact', `["${schema.name}",{"op":"select","table":"${name}","where":[]}]`)) ?? '');
    return list;
  }
}
