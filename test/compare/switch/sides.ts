// Two switches over dummy ports, the reference and ours, each with a database of its own, that are asked the same bytes. Everything that
// depends on the machine is fixed: addresses, the datapath's number, and the clock, which stands still but for `warp`.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Framing } from '../../../src/openflow/channel/framing.ts';
import { encodeHello } from '../../../src/openflow/channel/hello.ts';
import type { OfVersion } from '../../../src/openflow/message.ts';
import { endProcess } from '../../interop/support/end-process.ts';

export type SideName = 'debian' | 'weft';

const root = join(import.meta.dirname, '../../..');
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Why there is nothing to compare with, or false. */
export const cannotCompare = ['/usr/sbin/ovs-vswitchd', '/usr/sbin/ovsdb-server', '/usr/bin/ovs-vsctl'].some((path) => !existsSync(path))
  ? 'needs openvswitch-switch'
  : false;

export class Side {
  readonly name: SideName;
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-compare-'));
  readonly #env: NodeJS.ProcessEnv;

  constructor(name: SideName) {
    this.name = name;
    const folders = { OVS_RUNDIR: this.dir, OVS_DBDIR: this.dir, OVS_LOGDIR: this.dir, OVS_SYSCONFDIR: this.dir };
    this.#env = { ...folders, PATH: SYSTEM_PATH, LC_ALL: 'C', TZ: 'UTC', HOME: this.dir };
  }

  run(program: string, args: readonly string[], input = ''): string {
    const stdio: ['pipe', 'pipe', 'pipe'] = ['pipe', 'pipe', 'pipe'];
    return execFileSync(program, args, { env: this.#env, input, encoding: 'utf8', cwd: this.dir, stdio, timeout: 30_000 });
  }

  /** Starts the daemons; `vsctl` are further arguments beside those that make br0 with the ports p1 to p`ports`. */
  start(ports: number, vsctl: readonly string[] = [], options: readonly string[] = ['--enable-dummy', '--disable-system']): void {
    const db = `unix:${this.dir}/db.sock`;
    this.run('/usr/bin/ovsdb-tool', ['create', 'conf.db', '/usr/share/openvswitch/vswitch.ovsschema']);
    const daemon = ['--detach', '--pidfile', '--no-chdir', '--log-file'];
    this.run('/usr/sbin/ovsdb-server', [...daemon, `--remote=p${db}`, 'conf.db']);
    this.vsctl('--no-wait', 'init');
    const vswitchd = this.name === 'debian' ? '/usr/sbin/ovs-vswitchd' : join(root, 'bin/ovs-vswitchd');
    this.run(vswitchd, [...options, ...daemon, db]);
    // Before anything has an age.
    this.appctl('time/stop');
    this.makeBridge(ports, vsctl);
  }

  /** Makes br0 anew with the ports p1 to p`ports`. */
  makeBridge(ports: number, vsctl: readonly string[] = []): void {
    this.vsctl('--if-exists', 'del-br', 'br0');
    const port = (n: number): string[] => [
      '--',
      'add-port',
      'br0',
      `p${n}`,
      '--',
      'set',
      'interface',
      `p${n}`,
      'type=dummy',
      `ofport_request=${n}`,
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
      'other_config:datapath-id=00000000deadbeef',
      'other_config:hwaddr=aa:66:aa:66:00:00',
      'protocols=OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15',
    );
    // One by one: the reference gives dummy devices their addresses in the order in which it opens them.
    for (let i = 1; i <= ports; i++) this.vsctl(...port(i).slice(1));
    if (vsctl.length > 0) this.vsctl(...vsctl);
  }

  vsctl(...args: string[]): string {
    return this.run('/usr/bin/ovs-vsctl', [`--db=unix:${this.dir}/db.sock`, '--timeout=10', ...args]);
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

/** What a peer was told until it was answered: whole messages, then whether the connection has ended. */
export interface Heard {
  messages: Uint8Array[];
  isClosed: boolean;
}

const ECHO_REPLY = 3;

/** A connection to a switch, speaking one version, that sends and receives bytes. */
export class Peer {
  readonly version: OfVersion;
  readonly #path: string;
  readonly #socket: Socket;
  readonly #framing = new Framing();
  #messages: Uint8Array[] = [];
  #isClosed = false;
  #awaited: { xid: number; done: () => void } | undefined;
  #echo = 0xec000000;

  constructor(path: string, version: OfVersion) {
    this.version = version;
    this.#path = path;
    this.#socket = connect(path);
    this.#socket.on('data', (bytes) => this.#framing.push(bytes as Uint8Array, (message) => this.#take(message)));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#awaited?.done();
    });
    this.#socket.write(encodeHello([version], 1));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #take(message: Uint8Array): void {
    const xid = new DataView(message.buffer, message.byteOffset).getUint32(4);
    if (message[1] === ECHO_REPLY && xid === this.#awaited?.xid) this.#awaited.done();
    else this.#messages.push(message);
  }

  send(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#socket.write(bytes);
  }

  /** Waits until the switch has served what was sent, `rounds` times (what is sent asynchronously may come a turn later), and gives all that came. */
  async settle(rounds = 1): Promise<Heard> {
    for (let i = 0; i < rounds && !this.#isClosed; i++) {
      const xid = this.#echo++;
      const echo = new Uint8Array(8);
      const view = new DataView(echo.buffer);
      view.setUint8(0, this.version);
      view.setUint8(1, 2);
      view.setUint16(2, 8);
      view.setUint32(4, xid);
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${this.#path}: no answer to an echo request within 10 s`)), 10_000);
        const done = (): void => {
          clearTimeout(timer);
          this.#awaited = undefined;
          resolve();
        };
        this.#awaited = { xid, done };
        this.#socket.write(echo);
      });
    }
    const messages = this.#messages;
    this.#messages = [];
    return { messages, isClosed: this.#isClosed };
  }

  close(): void {
    this.#socket.destroy();
  }
}
