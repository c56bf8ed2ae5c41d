// Datapaths that commands make, beside those of bridges.
import type { Datapath } from '../../datapath/datapath.ts';

export class SpareDatapaths {
  /** Types of datapaths and of devices that there are. */
  readonly types: readonly string[];
  readonly interfaceTypes: readonly string[];
  readonly #open: (type: string, name: string) => Datapath;
  readonly #onClosed: (datapath: Datapath) => void;
  readonly #datapaths = new Set<Datapath>();

  constructor(
    types: readonly string[],
    interfaceTypes: readonly string[],
    open: (type: string, name: string) => Datapath,
    onClosed: (datapath: Datapath) => void,
  ) {
    this.types = types;
    this.interfaceTypes = interfaceTypes;
    this.#open = open;
    this.#onClosed = onClosed;
  }

  all(): Iterable<Datapath> {
    return this.#datapaths;
  }

  open(type: string, name: string): Datapath {
    const datapath = this.#open(type, name);
    this.#datapaths.add(datapath);
    return datapath;
  }

  async close(datapath: Datapath): Promise<void> {
    if (!this.#datapaths.delete(datapath)) return;
    for (const { port } of [...datapath.ports()]) await datapath.portDelete(port);
    await datapath.close();
    this.#onClosed(datapath);
  }

  async closeAll(): Promise<void> {
    for (const datapath of [...this.#datapaths]) await this.close(datapath);
  }
}
