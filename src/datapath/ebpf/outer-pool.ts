// Outer headers in the kernel: each once, however many flows send through it, and kept in step with the host's routes.
import type { TunnelProtocol } from '../../wire/tunnel-headers.ts';
import type { TunnelKey } from '../datapath.ts';
import { MAX_OUTERS, OUTER_VALUE } from './compiler/map-layout.ts';
import { outerTemplate } from './compiler/outer-header.ts';
import { IndexPool } from './index-pool.ts';

/** An outer header that the kernel has. */
export interface PooledOuter {
  index: number;
  /** Bytes from the outer IP header on. */
  size: number;
  isIpv6: boolean;
  isUdp: boolean;
  /** Whether a checksum covers the inner frame. */
  hasSum: boolean;
  /** Action lists that use it. */
  users: number;
}

interface Kept extends PooledOuter {
  protocol: TunnelProtocol;
  port: number;
  tunnel: TunnelKey;
  value: Uint8Array;
}

/** The way to an address: `source` is 4 words like `TunnelKey.src`. */
export interface OuterRoute {
  ifindex: number;
  source: readonly number[];
  mtu: number;
}

const nameOf = (protocol: TunnelProtocol, port: number, t: TunnelKey): string =>
  [protocol, port, t.id, t.src, t.dst, t.ipv6, t.tos, t.ttl, t.tpDst, t.flags, t.gbpId, t.gbpFlags, t.options.join(), t.mark].join(' ');

export class OuterPool {
  readonly #outers = new Map<string, Kept>();
  readonly #indices = new IndexPool(MAX_OUTERS);
  readonly #route: (tunnel: TunnelKey) => OuterRoute | undefined;
  readonly #store: (index: number, value: Uint8Array) => void;

  /** `route` finds the way to a tunnel's other end; `store` writes an entry of `outers`. */
  constructor(route: (tunnel: TunnelKey) => OuterRoute | undefined, store: (index: number, value: Uint8Array) => void) {
    this.#route = route;
    this.#store = store;
  }

  /** The pooled header; or why not. */
  take(protocol: TunnelProtocol, port: number, tunnel: TunnelKey): PooledOuter | string {
    const name = nameOf(protocol, port, tunnel);
    const known = this.#outers.get(name);
    if (known !== undefined) return known;
    const made = outerTemplate(protocol, port, tunnel, [0, 0, 0, 0]);
    if (typeof made === 'string') return made;
    let index = this.#indices.take();
    if (index === undefined) {
      this.#prune();
      index = this.#indices.take();
    }
    if (index === undefined) return 'too_many_tunnels';
    const size = made.bytes.length;
    const kept = {
      index,
      size,
      isIpv6: made.isIpv6,
      isUdp: made.isUdp,
      hasSum: made.hasSum,
      users: 0,
      protocol,
      port,
      tunnel,
      value: new Uint8Array(0),
    };
    this.#outers.set(name, kept);
    this.#refresh(kept);
    return kept;
  }

  /** Asks for all ways again. */
  refresh(): void {
    this.#prune();
    for (const kept of this.#outers.values()) this.#refresh(kept);
  }

  #refresh(kept: Kept): void {
    const { protocol, port, tunnel } = kept;
    const route = this.#route(tunnel);
    const value = new Uint8Array(OUTER_VALUE.size);
    const made = outerTemplate(protocol, port, tunnel, route?.source ?? [0, 0, 0, 0]);
    if (typeof made === 'string') return;
    const view = new DataView(value.buffer);
    view.setUint32(OUTER_VALUE.ifindex, route?.ifindex ?? 0, true);
    view.setUint32(OUTER_VALUE.mtu, route?.mtu ?? 0, true);
    view.setUint32(OUTER_VALUE.mark, tunnel.mark, true);
    view.setUint32(OUTER_VALUE.sum, made.sum, true);
    view.setUint16(OUTER_VALUE.covered, made.covered, false);
    value.set(made.bytes, OUTER_VALUE.header);
    if (value.length === kept.value.length && value.every((byte, i) => byte === kept.value[i])) return;
    kept.value = value;
    this.#store(kept.index, value);
  }

  #prune(): void {
    for (const [name, kept] of this.#outers) {
      if (kept.users > 0) continue;
      this.#outers.delete(name);
      this.#indices.give(kept.index);
    }
  }
}
