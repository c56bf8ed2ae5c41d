// What tunnels need of the host: its addresses, at which their packets arrive; its routes, by which they leave; and the program at the
// devices where they come in.
//
// The program stands at the devices that have addresses and at those by which a tunnel's packets leave, but for system ports: what comes
// in there is the switch's. Where it does not stand, or leaves a packet alone, the host's sockets give it to user space.
import { errorText } from '../../base/errors.ts';
import { logger } from '../../base/log.ts';
import { type Attachment, attachAtOnce } from '../../bpf/attachment.ts';
import { Gate } from '../../bpf/gate.ts';
import { closeObject, deleteElement, loadProgram, updateElement } from '../../bpf/kernel.ts';
import { HostRoutes } from '../../host/netlink/routes.ts';
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import type { DpPort, TunnelKey } from '../datapath.ts';
import { TUNNEL_KEY, TUNNEL_PROTOCOL, TUNNEL_VALUE } from './compiler/map-layout.ts';
import { compileTunnelPop } from './compiler/tunnel-pop-program.ts';
import { OuterPool, type OuterRoute } from './outer-pool.ts';
import type { FormerPlaces } from './pin-folder.ts';
import type { PinStore } from './pin-store.ts';
import { keepPlace, type Place, PlaceSettler, settlePlace } from './place-settler.ts';

const log = logger('dpif_ebpf');
const REFRESH_MS = 20;
/** What the kernel's path MTU cache learns is not told. */
const ASK_AGAIN_MS = 10_000;
const SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const ETHERNET_MTU = 1500;

interface TunnelPort {
  protocol: TunnelProtocol;
  udpPort: number;
}

interface Attached extends Place {
  readonly hook: 'underlay';
  /** A predecessor's program runs there. */
  isFormer: boolean;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');

export class Underlay {
  readonly outers: OuterPool;
  readonly #maps: ReadonlyMap<string, number>;
  readonly #isSystemPort: (ifindex: number) => boolean;
  readonly #ports = new Map<DpPort, TunnelPort>();
  readonly #links = new Map<number, Attached>();
  readonly #settler = new PlaceSettler<Attached>((place, link) => this.#settle(place, link));
  readonly #store: PinStore | undefined;
  readonly #places: FormerPlaces | undefined;
  /** Elements of `tunnels` by their key as text. */
  #ends = new Map<string, Uint8Array>();
  #routes: HostRoutes | undefined;
  #program = -1;
  /** Where nothing is pinned: what leads to the program and stands in its place. */
  #gate: Gate | undefined;
  #hasTakenOver: boolean;
  #devices = new Set<number>();
  #mtus = new Map<number, number>();
  #pending: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  /**
   * `isSystemPort` tells whether the device is a system port of this datapath. With a store, links outlive the process; `places` are those of
   * predecessors, whose programs go on until we take over, or with `replacesAtOnce` until we come upon them.
   */
  constructor(
    maps: ReadonlyMap<string, number>,
    isSystemPort: (ifindex: number) => boolean,
    store?: PinStore,
    places?: FormerPlaces,
    replacesAtOnce = false,
  ) {
    this.#places = places;
    this.#hasTakenOver = replacesAtOnce;
    this.#maps = maps;
    this.#store = store;
    this.#isSystemPort = isSystemPort;
    this.outers = new OuterPool(
      (tunnel) => this.#route(tunnel),
      (index, value) => updateElement(maps.get('outers')!, new Uint8Array(Uint32Array.of(index).buffer), value),
    );
  }

  /** Whether there are tunnel ports. */
  get isActive(): boolean {
    return this.#ports.size > 0;
  }

  has(port: DpPort): boolean {
    return this.#ports.has(port);
  }

  /** A tunnel port's packets come in from now on. Throws KernelError where the kernel does not allow it. */
  add(port: DpPort, protocol: TunnelProtocol, udpPort: number): void {
    if (this.#routes === undefined) {
      this.#routes = new HostRoutes(() => this.refreshSoon());
      this.#program = loadProgram(compileTunnelPop(), this.#maps, 'weft_tunnels');
      if (this.#store === undefined) this.#gate = new Gate(this.#program);
      this.#again = setInterval(() => this.refresh(), ASK_AGAIN_MS);
      this.#again.unref();
    }
    this.#ports.set(port, { protocol, udpPort });
    this.refresh();
  }

  remove(port: DpPort): void {
    if (!this.#ports.delete(port)) return;
    if (this.#ports.size === 0) this.#stop();
    else this.refresh();
  }

  /** Brings the maps and the devices in step with the host, once for all that changed in the same moment. */
  refreshSoon(): void {
    if (this.isActive) this.#pending ??= setTimeout(() => this.refresh(), REFRESH_MS);
  }

  refresh(): void {
    clearTimeout(this.#pending);
    this.#pending = undefined;
    if (this.#routes === undefined || !this.isActive) return;
    try {
      const addresses = this.#routes.addresses();
      const links = this.#routes.links();
      this.#mtus = new Map(links.map((link) => [link.index, link.mtu]));
      this.#devices = new Set(addresses.filter((one) => one.scope < SCOPE_LINK).map((one) => one.ifindex));
      this.#storeEnds(addresses.map((one) => one.address));
      this.outers.refresh();
      const usable = links.filter(({ index, mac }) => (mac[0] | mac[1]) !== 0 && this.#devices.has(index) && !this.#isSystemPort(index));
      this.#attach(new Set(usable.map((link) => link.index)));
    } catch (error) {
      log.warn(`tunnels: the host's addresses and routes are not to be had: ${errorText(error)}`);
    }
  }

  #storeEnds(addresses: readonly Uint8Array[]): void {
    const fd = this.#maps.get('tunnels')!;
    const wanted = new Map<string, Uint8Array>();
    for (const address of addresses) {
      if (address.length === 4 && address[0] === 127) continue;
      for (const [port, { protocol, udpPort }] of this.#ports) {
        const key = new Uint8Array(TUNNEL_KEY.size);
        key.set(address, TUNNEL_KEY.address + 16 - address.length);
        key[TUNNEL_KEY.ipProtocol] = protocol === 'gre' ? 47 : 17;
        new DataView(key.buffer).setUint16(TUNNEL_KEY.port, protocol === 'gre' ? 0 : udpPort);
        const name = hex(key);
        wanted.set(name, key);
        if (this.#ends.has(name)) continue;
        const value = new Uint8Array(TUNNEL_VALUE.size);
        new DataView(value.buffer).setUint32(TUNNEL_VALUE.port, port, true);
        new DataView(value.buffer).setUint32(TUNNEL_VALUE.protocol, TUNNEL_PROTOCOL[protocol], true);
        updateElement(fd, key, value);
      }
    }
    for (const [name, key] of this.#ends) if (!wanted.has(name)) deleteElement(fd, key);
    this.#ends = wanted;
  }

  #attach(wanted: ReadonlySet<number>): void {
    for (const [ifindex, place] of this.#links) {
      if (wanted.has(ifindex)) continue;
      this.#settler.delete(place);
      place.link.detach();
      this.#store?.unpinAttachment(ifindex, 'underlay');
      this.#links.delete(ifindex);
    }
    for (const ifindex of wanted) {
      if (this.#links.has(ifindex)) continue;
      try {
        // A predecessor's program goes on with its own maps until we take over.
        const former = this.#places?.openAttachment(ifindex, 'underlay');
        const link = former ?? attachAtOnce(this.#gate?.program ?? this.#program, ifindex, 'underlay');
        const place: Attached = { ifindex, hook: 'underlay', link, isFormer: former !== undefined && !this.#hasTakenOver };
        this.#links.set(ifindex, place);
        if (former !== undefined && this.#hasTakenOver) former.replace(this.#program);
        keepPlace(this.#store, place, this.#program, 0, former === undefined);
        this.#settleLater(place);
      } catch (error) {
        log.info(`tunnels: packets that come in at device ${ifindex} go through user space: ${errorText(error)}`);
      }
    }
  }

  /** What cannot be pinned stays a filter. */
  #settleLater(place: Attached): void {
    if (this.#store !== undefined && place.link.kind === 'clsact' && !place.isFormer) this.#settler.add(place);
  }

  #settle(place: Attached, link: Attachment): boolean {
    if (this.#store === undefined || this.#links.get(place.ifindex) !== place || place.isFormer) return false;
    return settlePlace(this.#store, place, link, this.#program, 0);
  }

  /** Puts our program in the place of a predecessor's; gives the links that are in use. */
  takeOver(): Iterable<{ ifindex: number; hook: 'underlay' }> {
    this.#hasTakenOver = true;
    for (const one of this.#links.values()) {
      if (!one.isFormer) continue;
      try {
        one.link.replace(this.#program);
      } catch (error) {
        log.info(`tunnels: packets that come in at device ${one.ifindex} go through user space: ${errorText(error)}`);
      }
      one.isFormer = false;
      this.#settleLater(one);
    }
    return this.#links.values();
  }

  #route(tunnel: TunnelKey): OuterRoute | undefined {
    const to = addressBytes(tunnel.dst, tunnel.ipv6);
    const hasSource = tunnel.src.some((word) => word !== 0);
    const route = this.#routes?.route(to, hasSource ? addressBytes(tunnel.src, tunnel.ipv6) : undefined, tunnel.mark);
    // Packets to ourselves never leave by a device.
    if (route === undefined || route.ifindex === 0 || route.type !== RTN_UNICAST) return undefined;
    const source = hasSource ? tunnel.src : route.source === undefined ? undefined : words(route.source);
    if (source === undefined) return undefined;
    this.#devices.add(route.ifindex);
    return { ifindex: route.ifindex, source, mtu: route.mtu || (this.#mtus.get(route.ifindex) ?? ETHERNET_MTU) };
  }

  #stop(): void {
    clearTimeout(this.#pending);
    clearInterval(this.#again);
    this.#pending = undefined;
    this.#attach(new Set());
    this.#storeEnds([]);
    this.#closeProgram();
    this.#routes?.close();
    this.#routes = undefined;
  }

  #closeProgram(): void {
    closeObject(this.#program);
    this.#program = -1;
    this.#gate?.close();
    this.#gate = undefined;
  }

  /** Ends our part; with `keep` the program and its pinned links go on without us. */
  close(keep: boolean): void {
    if (this.#routes === undefined) return;
    this.#ports.clear();
    if (!keep) {
      this.#stop();
      return;
    }
    clearTimeout(this.#pending);
    clearInterval(this.#again);
    this.#settler.close();
    for (const { link } of this.#links.values()) link.close();
    this.#closeProgram();
    this.#routes.close();
    this.#routes = undefined;
  }
}

function addressBytes(address: readonly number[], isIpv6: boolean): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) view.setUint32(i * 4, address[i]!);
  return isIpv6 ? bytes : bytes.subarray(12);
}

function words(address: Uint8Array): number[] {
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  if (address.length === 4) return [0, 0, 0, view.getUint32(0)];
  return [0, 4, 8, 12].map((at) => view.getUint32(at));
}
