// NAME.snoop: whoever connects there gets a copy of each message that the bridge exchanges with one of its primary controllers, the one that
// has the highest role at that moment, and is not listened to beyond the hello. It is let go when the controller is taken out of the
// configuration; without one it is not let in. For `ovs-ofctl snoop`.
import { logger } from '../../base/log.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { OpenFlowChannel } from '../../openflow/channel/channel.ts';
import type { SwitchEnvironment } from '../contract.ts';
import type { BridgeCore } from '../core.ts';

const log = logger('connmgr');

const MAX_SNOOPS = 16;
/** A snoop that does not read misses messages rather than holding them. */
const FULL = 1024 * 1024;

export class Snoops<Controller> {
  readonly #core: BridgeCore;
  readonly #snooped: () => Controller | undefined;
  readonly #channels = new Map<OpenFlowChannel, Controller>();
  #listener: Listener | undefined;

  /** `snooped` gives the controller that is to be heard. */
  constructor(core: BridgeCore, snooped: () => Controller | undefined) {
    this.#core = core;
    this.#snooped = snooped;
  }

  get isEmpty(): boolean {
    return this.#channels.size === 0;
  }

  async listen(environment: SwitchEnvironment, path: string): Promise<void> {
    try {
      this.#listener = await environment.listen(`punix:${path}`, (stream) => this.#accept(stream));
    } catch (error) {
      log.warn(`${this.#core.name}: failed to listen on ${path} (${String(error)})`);
    }
  }

  /** Hands on a message that was exchanged with a controller. */
  copy(bytes: Uint8Array, controller: Controller): void {
    for (const [channel, snooped] of this.#channels) {
      if (snooped === controller && channel.isOpen && channel.queuedBytes < FULL) channel.sendBytes(bytes);
    }
  }

  /** The controller is none any more. */
  release(controller: Controller): void {
    for (const [channel, snooped] of this.#channels) if (snooped === controller) channel.close();
  }

  close(): void {
    this.#listener?.close();
    for (const channel of this.#channels.keys()) channel.abandon();
    this.#channels.clear();
  }

  #accept(stream: Stream): void {
    const controller = this.#snooped();
    if (controller === undefined || this.#channels.size >= MAX_SNOOPS) {
      stream.destroy();
      return;
    }
    const channel: OpenFlowChannel = new OpenFlowChannel(stream.name, stream, this.#core.settings.versions, {
      onOpen: () => {},
      onMessage: () => {},
      onClose: () => this.#channels.delete(channel),
    });
    this.#channels.set(channel, controller);
  }
}
