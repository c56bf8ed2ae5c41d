// Debian's ovs-vswitchd over its dummy datapath, with its own folder: a bridge br0 with the ports p1, p2 and p3.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endProcess } from './end-process.ts';

const BIN = { vswitchd: '/usr/sbin/ovs-vswitchd', server: '/usr/sbin/ovsdb-server', tool: '/usr/bin/ovsdb-tool' };

/** Why there is no reference here, or false. */
export const cannotRunReference = Object.values(BIN).some((path) => !existsSync(path)) ? 'needs openvswitch-switch' : false;

/** The reference. `stop` it at the end. */
export class Reference {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-trace-'));
  readonly #env = { ...process.env, OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir, OVS_SYSCONFDIR: this.dir };

  run(program: string, args: string[], input = ''): string {
    return execFileSync(program, args, {
      env: this.#env,
      input,
      encoding: 'utf8',
      cwd: this.dir,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 20_000,
    });
  }

  /** `tag`: p3 is an access port of VLAN 10. `options` are more columns of each interface. */
  start({ tag = true, options = [] as string[] } = {}): void {
    const db = `unix:${this.dir}/db.sock`;
    this.run(BIN.tool, ['create', 'conf.db', '/usr/share/openvswitch/vswitch.ovsschema']);
    this.run(BIN.server, ['--detach', '--pidfile', '--no-chdir', '--log-file', `--remote=p${db}`, 'conf.db']);
    this.vsctl('--no-wait', 'init');
    this.run(BIN.vswitchd, ['--enable-dummy', '--disable-system', '--detach', '--pidfile', '--no-chdir', '--log-file', db]);
    const set = (name: string) => [
      '--',
      'add-port',
      'br0',
      `p${name}`,
      '--',
      'set',
      'interface',
      `p${name}`,
      'type=dummy',
      `ofport_request=${name}`,
      ...options.map((option) => option.replace('%', name)),
    ];
    this.vsctl(
      'add-br',
      'br0',
      '--',
      'set',
      'bridge',
      'br0',
      'datapath_type=dummy',
      'fail_mode=secure',
      'protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15',
      ...set('1'),
      ...set('2'),
      ...set('3'),
    );
    if (tag) this.vsctl('set', 'port', 'p3', 'tag=10');
  }

  vsctl(...args: string[]): void {
    this.run('/usr/bin/ovs-vsctl', [`--db=unix:${this.dir}/db.sock`, '--timeout=10', ...args]);
  }

  appctl(...args: string[]): string {
    const pid = readFileSync(join(this.dir, 'ovs-vswitchd.pid'), 'utf8').trim();
    return this.run('/usr/bin/ovs-appctl', ['-t', join(this.dir, `ovs-vswitchd.${pid}.ctl`), ...args]);
  }

  /** Whether ovs-vswitchd answers. */
  isRunning(): boolean {
    try {
      this.appctl('version');
      return true;
    } catch {
      return false;
    }
  }

  stop(): void {
    for (const name of ['ovs-vswitchd', 'ovsdb-server']) {
      const file = join(this.dir, `${name}.pid`);
      if (existsSync(file)) endProcess(Number(readFileSync(file, 'utf8')));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
