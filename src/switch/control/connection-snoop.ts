// NAME.snoop: whoever connects there gets a copy of each message that the bridge exchanges with its primary controllers, and is not
// listened to beyond the hello. For `ovs-ofctl snoop`.
import { logger } from '../../base/log.ts';
import type { Listener, Stream } from '../../base/stream.ts';
import { OpenFlowChannel } from '../../openflow/channel/channel.ts';
import type { SwitchEnvironment } from '../contract.ts';
import type { BridgeCore } from '../core.ts';

const log = logger('connmgr');

const MAX_SNOOPS = 16;
/** A snoop that does not read misses messages rather than holding them. */
const FULL = 1024 * 1024;

export class Snoops {
  readonly #core: BridgeCore;
  readonly #channels = new Set<OpenFlowChannel>();
  #listener: Listener | undefined;

  constructor(core: BridgeCore) {
    this.#core = core;
  }

  async listen(environment: SwitchEnvironment, path: string): Promise<void> {
    try {
      this.#listener = await environment.listen(`punix:${path}`, (stream) => this.#accept(stream));
    } catch (error) {
      log.warn(`${this.#core.name}: failed to listen on ${path} (${String(error)})`);
    }
  }

  /** Hands a message on. */
  copy(bytes: Uint8Array): void {
    for (const channel of this.#channels) if (channel.isOpen && channel.queuedBytes < FULL) channel.sendBytes(bytes);
  }

  close(): void {
    this.#listener?.close();
    for (const channel of this.#channels) channel.abandon();
    this.#channels.clear();
  }

  #accept(stream: Stream): void {
    if (this.#channels.size >= MAX_SNOOPS) {
      stream.destroy();
      return;
    }
    const channel: OpenFlowChannel = new OpenFlowChannel(stream.name, stream, this.#core.settings.versions, {
      onOpen: () => {},
      onMessage: () => {},
      onClose: () => this.#channels.delete(channel),
    });
    this.#channels.add(channel);
  }
}
