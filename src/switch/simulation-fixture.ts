// A whole switch over the dummy datapath and a virtual clock, for tests: what goes in is a frame at a port, what comes out are frames at ports.
import { VirtualClock } from '../base/clock.ts';
import { type DummyDatapath, openDummyDatapath } from '../datapath/userspace/dummy.ts';
import { matchAll } from '../flow/key.ts';
import { type Action, OFPP } from '../openflow/action.ts';
import type { FlowMod } from '../openflow/message.ts';
import type { Bridge } from './bridge.ts';
import type { BundleRequest, PortKind } from './contract.ts';
import { noControl, type OpenControl } from './core.ts';
import { Host } from './host.ts';
import { NO_FLAGS } from './tables/rule.ts';

/** A flow mod with the fields that matter to a test. */
export function flowMod(part: Partial<FlowMod> & { actions?: Action[] }): FlowMod {
  return {
    kind: 'flowMod',
    command: 'add',
    match: matchAll(),
    priority: 32768,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: 0n,
    table: 0,
    idleTimeoutSec: 0,
    hardTimeoutSec: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: NO_FLAGS,
    actions: [],
    ...part,
  };
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly datapath: DummyDatapath;
  readonly host: Host;
  /** What left since `sent` was last called: `port name: frame in hex`. */
  #sent: { port: string; frame: Uint8Array }[] = [];
  readonly #names = new Map<number, string>();

  constructor(control: OpenControl = noControl) {
    this.datapath = openDummyDatapath(this.clock);
    this.datapath.setSentSink(({ port, frame }) => this.#sent.push({ port: this.#names.get(port) ?? `#${port}`, frame }));
    const refuse = () => Promise.reject(new Error('no network in a simulation'));
    this.host = new Host(
      {
        clock: this.clock,
        connect: refuse,
        listen: refuse,
        openDatapath: () => this.datapath,
        runDirectory: '',
        setPortUp: (port, _, isUp) => this.#turn(port, isUp),
      },
      control,
    );
  }

  /** A device is turned on or off. */
  #turn(name: string, isUp: boolean): void {
    for (const { core } of this.host.bridges() as Iterable<Bridge>) {
      for (const port of core.ports.values()) {
        if (port.name !== name || port.link === undefined) continue;
        port.link = { ...port.link, isUp, hasCarrier: isUp };
        core.megaflows.changed();
      }
    }
  }

  /** A bridge with its local port. */
  async bridge(name: string): Promise<Bridge> {
    const bridge = this.host.bridgeAdd(name, 'dummy');
    bridge.configure(bridge.core.settings);
    await this.port(bridge, name, { kind: 'internal', mac: undefined, mtu: undefined }, {}, OFPP.LOCAL);
    return bridge;
  }

  /** A port alone in its bundle. */
  async port(
    bridge: Bridge,
    name: string,
    port: PortKind = { kind: 'dummy' },
    bundle: Partial<BundleRequest> = {},
    ofportRequest?: number,
  ): Promise<number> {
    const number = await bridge.portAdd({ name, port, ofportRequest });
    const dpPort = bridge.core.ports.get(number)?.dpPort;
    if (dpPort !== undefined) this.#names.set(dpPort, name);
    bridge.bundleSet({
      name,
      members: [number],
      vlanMode: bundle.vlan === undefined || bundle.vlan < 0 ? 'trunk' : 'access',
      vlan: -1,
      trunks: [],
      cvlans: [],
      qinqEthertype: 0x8100,
      priorityTags: 'never',
      protectedPort: false,
      ...bundle,
    });
    return number;
  }

  receive(name: string, frame: Uint8Array): void {
    for (const [port, known] of this.#names) if (known === name) this.datapath.receive(port, frame);
  }

  /** Names of the ports that frames left by since the last call, in order. */
  ports(): string[] {
    return this.frames().map(({ port }) => port);
  }

  frames(): { port: string; frame: Uint8Array }[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }
}

/** Bytes of hex text, blanks ignored. */
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** An Ethernet frame between two stations named by a number, padded to the least size. */
export function ethernet(dst: string, src: string, type = '88b5', rest = ''): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(hex(dst.replace(/:/g, '') + src.replace(/:/g, '') + type + rest));
  return frame;
}
