// An ovs-vswitchd over dummy ports and its database, in a folder of their own and outside every world: no root, no namespace.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess } from './end-process.ts';

const BIN = {
  vswitchd: '/usr/sbin/ovs-vswitchd',
  server: '/usr/sbin/ovsdb-server',
  tool: '/usr/bin/ovsdb-tool',
  vsctl: '/usr/bin/ovs-vsctl',
};
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why there is no reference here, or false. */
export const cannotRunReference = Object.values(BIN).some((path) => !existsSync(path)) ? 'needs openvswitch-switch' : false;

/** Words of ovs-vsctl that give br0 dummy ports p1, p2, ... of those numbers, each behind a `--`; `columns` are more of each interface. */
export function dummyPorts(numbers: readonly number[], columns: readonly string[] = []): string[] {
  return numbers.flatMap((n) => {
    const interfaceColumns = ['type=dummy', `ofport_request=${n}`, ...columns.map((column) => column.replace('%', String(n)))];
    return ['--', 'add-port', 'br0', `p${n}`, '--', 'set', 'interface', `p${n}`, ...interfaceColumns];
  });
}

export class DummyDaemons {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-dummy-'));
  readonly #vswitchd: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(vswitchd = BIN.vswitchd) {
    this.#vswitchd = vswitchd;
    const folders = { OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir, OVS_SYSCONFDIR: this.dir };
    this.#env = { ...folders, PATH: SYSTEM_PATH, LC_ALL: 'C', TZ: 'UTC', HOME: this.dir };
  }

  run(program: string, args: readonly string[], input = ''): string {
    const stdio: ['pipe', 'pipe', 'pipe'] = ['pipe', 'pipe', 'pipe'];
    return execFileSync(program, args, { env: this.#env, input, encoding: 'utf8', cwd: this.dir, stdio, timeout: 30_000 });
  }

  startDaemons(options: readonly string[] = ['--enable-dummy', '--disable-system']): void {
    const db = `unix:${this.dir}/db.sock`;
    this.run(BIN.tool, ['create', 'conf.db', '/usr/share/openvswitch/vswitch.ovsschema']);
    const daemon = ['--detach', '--pidfile', '--no-chdir', '--log-file'];
    this.run(BIN.server, [...daemon, `--remote=p${db}`, 'conf.db']);
    this.vsctl('--no-wait', 'init');
    this.run(this.#vswitchd, [...options, ...daemon, db]);
  }

  vsctl(...args: string[]): string {
    return this.run(BIN.vsctl, [`--db=unix:${this.dir}/db.sock`, '--timeout=10', ...args]);
  }

  ofctl(...args: string[]): string {
    return this.run('/usr/bin/ovs-ofctl', args);
  }

  appctl(...args: string[]): string {
    return this.run('/usr/bin/ovs-appctl', ['-t', join(this.dir, `ovs-vswitchd.${this.#pid('ovs-vswitchd')}.ctl`), ...args]);
  }

  /** Whether the switch still answers. */
  isAlive(): boolean {
    try {
      this.appctl('version');
      return true;
    } catch {
      return false;
    }
  }

  log(): string {
    return readFileSync(join(this.dir, 'ovs-vswitchd.log'), 'utf8');
  }

  #pid(daemon: string): number {
    return Number(readFileSync(join(this.dir, `${daemon}.pid`), 'utf8'));
  }

  stop(): void {
    for (const name of ['ovs-vswitchd', 'ovsdb-server']) {
      if (existsSync(join(this.dir, `${name}.pid`))) endProcess(this.#pid(name));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
