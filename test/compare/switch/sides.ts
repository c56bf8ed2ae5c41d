// Two switches over dummy ports, the reference and ours, each with a database of its own, that are asked the same bytes. Everything that
// depends on the machine is fixed: addresses, the datapath's number, and the clock, which stands still but for `warp`.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Framing } from '../../../src/openflow/channel/framing.ts';
import { encodeHello } from '../../../src/openflow/channel/hello.ts';
import type { OfVersion } from '../../../src/openflow/message.ts';
import { cannotRunReference, DummyDaemons, dummyPorts } from '../../interop/support/dummy-daemons.ts';

export type SideName = 'debian' | 'weft';

const root = join(import.meta.dirname, '../../..');

/** Why there is nothing to compare with, or false. */
export const cannotCompare = cannotRunReference;

export class Side extends DummyDaemons {
  readonly name: SideName;

  constructor(name: SideName) {
    super(name === 'weft' ? join(root, 'bin/ovs-vswitchd') : undefined);
    this.name = name;
  }

  /** Starts the daemons; `vsctl` are further arguments beside those that make br0 with the ports p1 to p`ports`. */
  start(ports: number, vsctl: readonly string[] = [], options?: readonly string[]): void {
    this.startDaemons(options);
    // Before anything has an age.
    this.appctl('time/stop');
    this.makeBridge(ports, vsctl);
  }

  /** Makes br0 anew with the ports p1 to p`ports`. */
  makeBridge(ports: number, vsctl: readonly string[] = []): void {
    this.vsctl('--if-exists', 'del-br', 'br0');
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
    for (let i = 1; i <= ports; i++) this.vsctl(...dummyPorts([i]).slice(1));
    if (vsctl.length > 0) this.vsctl(...vsctl);
  }
}

/** A switch that lives and does not follow its database any more. */
export class StuckSide extends Error {
  readonly side: SideName;

  constructor(side: SideName, cause: unknown) {
    super(`${side} does not follow its database`, { cause });
    this.side = side;
  }
}

/** Controllers that a switch seeks: as many as there are versions, in their order, each speaking one. Ended by `stop`. */
export async function primaryControllers(side: Side, versions: readonly OfVersion[]): Promise<{ peers: Peer[]; stop: () => void }> {
  const paths = versions.map((_, i) => join(side.dir, `controller${i}.sock`));
  const servers: Server[] = [];
  const found: Promise<Socket>[] = [];
  for (const path of paths) {
    const server = createServer().listen(path);
    servers.push(server);
    await once(server, 'listening');
    found.push(once(server, 'connection').then(([socket]) => socket as Socket));
  }
  side.vsctl('set-controller', 'br0', ...paths.map((path) => `unix:${path}`));
  const peers: Peer[] = [];
  for (const [i, version] of versions.entries()) peers.push(new Peer(paths[i] ?? '', version, await found[i]));
  return {
    peers,
    stop: () => {
      try {
        // A switch that has died does not say that it is done.
        if (side.isAlive()) side.vsctl('del-controller', 'br0');
      } catch (error) {
        throw new StuckSide(side.name, error);
      } finally {
        for (const peer of peers) peer.close();
        for (const server of servers) server.close();
      }
    },
  };
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

  /** Connects to a path, or takes over a connection that the switch has made. */
  constructor(path: string, version: OfVersion, socket: Socket = connect(path)) {
    this.version = version;
    this.#path = path;
    this.#socket = socket;
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

  /** How many messages have come and nobody has taken. */
  get heardCount(): number {
    return this.#messages.length;
  }

  /** What has come so far, without asking for more. */
  take(): Uint8Array[] {
    return this.#messages.splice(0);
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
