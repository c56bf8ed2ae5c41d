// Our switch in this process, over dummy ports but with real sockets and the real clock: what Debian's OpenFlow programs can talk to
// without devices. Programs that talk to it must be run without blocking, for the switch answers from this process's event loop.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DummyDatapath, openDummyDatapath } from '../../../src/datapath/userspace/dummy.ts';
import { realClock } from '../../../src/host/real-clock.ts';
import { connectStream, listenStream } from '../../../src/host/sockets/socket.ts';
import { OFPP } from '../../../src/openflow/action.ts';
import type { Bridge } from '../../../src/switch/bridge.ts';
import type { BridgeSettings, ControllerRequest } from '../../../src/switch/contract.ts';
import { Host } from '../../../src/switch/host.ts';

/** A program's end. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export class DummySwitch {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-control-'));
  readonly datapath: DummyDatapath = openDummyDatapath(realClock);
  readonly host: Host;
  readonly sent: { port: string; frame: Uint8Array }[] = [];
  readonly #dpPorts = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #running: { kill(signal: NodeJS.Signals): boolean }[] = [];

  constructor() {
    this.datapath.setSentSink(({ port, frame }) => this.sent.push({ port: this.#names.get(port) ?? `#${port}`, frame: frame.slice() }));
    this.host = new Host({
      clock: realClock,
      connect: (target) => connectStream(target, 6653),
      listen: (target, onStream) => listenStream(target, onStream, { defaultPort: 6653 }),
      openDatapath: () => this.datapath,
      runDirectory: this.dir,
    });
  }

  /** A bridge with the ports 1..n, named NAMEp1.. and its local port. */
  async bridge(name: string, ports: number, settings: Partial<BridgeSettings> = {}): Promise<Bridge> {
    const bridge = this.host.bridgeAdd(name, 'dummy');
    bridge.configure({ ...bridge.core.settings, datapathId: 0x1234n, ...settings });
    const add = async (portName: string, number: number, kind: 'internal' | 'dummy'): Promise<void> => {
      const port = kind === 'internal' ? ({ kind, mac: undefined, mtu: undefined } as const) : ({ kind } as const);
      await bridge.portAdd({ name: portName, port, ofportRequest: number });
      const dpPort = bridge.core.ports.get(number)?.dpPort ?? -1;
      this.#dpPorts.set(portName, dpPort);
      this.#names.set(dpPort, portName);
      const link = { isUp: true, hasCarrier: true, speedKbps: 0, current: 0, advertised: 0, supported: 0, peer: 0, mtu: 1500 };
      bridge.portLink(number, { mac: [0xaa55aa55, number & 0xffff], ...link });
      bridge.bundleSet({
        name: portName,
        members: [number],
        vlanMode: 'trunk',
        vlan: -1,
        trunks: [],
        cvlans: [],
        qinqEthertype: 0x8100,
        priorityTags: 'never',
        protectedPort: false,
      });
    };
    await add(name, OFPP.LOCAL, 'internal');
    for (let i = 1; i <= ports; i++) await add(`${name}p${i}`, i, 'dummy');
    await bridge.listen();
    return bridge;
  }

  /** A frame comes in at a port. */
  receive(portName: string, frame: Uint8Array): void {
    const port = this.#dpPorts.get(portName);
    if (port === undefined) throw new Error(`no port ${portName}`);
    this.datapath.receive(port, frame);
  }

  /** Runs a program to its end, with our folder as Open vSwitch's. */
  run(program: string, ...args: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(program, args, { env: this.#env(), timeout: 20_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      });
    });
  }

  /** Starts a program that keeps running; it ends with the switch at the latest. */
  start(program: string, ...args: string[]): { output(): string; stop(): void } {
    const child = spawn(program, args, { env: this.#env(), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (bytes) => {
      output += String(bytes);
    });
    child.stderr.on('data', (bytes) => {
      output += String(bytes);
    });
    child.on('error', (error) => {
      output += String(error);
    });
    this.#running.push(child);
    return { output: () => output, stop: () => void child.kill('SIGTERM') };
  }

  async end(): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await this.host.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', OVS_RUNDIR: this.dir };
  }
}

/** A switch that ends with the test. */
export function dummySwitch(t: TestContext): DummySwitch {
  const made = new DummySwitch();
  t.after(() => made.end());
  return made;
}

/** A controller to connect to, as the database would have it. */
export const controllerAt = (target: string, overrides: Partial<ControllerRequest> = {}): ControllerRequest => ({
  target,
  type: 'primary',
  maxBackoffMs: 1000,
  probeIntervalMs: 5000,
  rateLimit: 0,
  burstLimit: 0,
  queueLength: 100,
  dscp: 48,
  enableAsync: true,
  ...overrides,
});

/** Waits until `holds` gives true; fails after 10 s. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A UDP frame between two hosts by number. */
export function udpFrame(from: number, to: number, payload = 'hello'): Uint8Array {
  const data = new TextEncoder().encode(payload);
  const frame = new Uint8Array(Math.max(60, 42 + data.length));
  const view = new DataView(frame.buffer);
  frame.set([0x50, 0x54, 0, 0, 0, to, 0x50, 0x54, 0, 0, 0, from, 8, 0, 0x45, 0]);
  view.setUint16(16, 28 + data.length);
  frame.set([64, 17], 22);
  frame.set([10, 0, 0, from, 10, 0, 0, to], 26);
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(i);
  sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(24, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
  view.setUint16(34, 1000 + from);
  view.setUint16(36, 1000 + to);
  view.setUint16(38, 8 + data.length);
  frame.set(data, 42);
  return frame;
}
