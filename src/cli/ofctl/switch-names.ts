// The names of a switch's ports and tables while it is listened to.
import type { PortNames } from '../../flow/field-text.ts';
import type { FlowOptions } from './flows.ts';
import { lookupNames } from './flows.ts';
import { namesToShow } from './names.ts';
import { Session, showsNames } from './session.ts';

/** The transaction ids that the reference spends on looking names up. */
const NAME_LOOKUP_XIDS = 4;

/** The names of a switch's ports and tables: they are looked up once, over connections of their own. */
export class SwitchNames {
  readonly #session: Session;
  readonly #bridge: string;
  readonly #options: FlowOptions;
  #shown: Promise<PortNames> | undefined;
  readonly #numbered = new Set<string>();

  constructor(session: Session, bridge: string, options: FlowOptions) {
    this.#session = session;
    this.#bridge = bridge;
    this.#options = options;
  }

  /** What to print for ports and tables; undefined where that is their numbers. */
  async toShow(): Promise<PortNames | undefined> {
    if (!showsNames(this.#options)) return undefined;
    this.#number(this.#session.target);
    this.#shown ??= this.#fetch();
    return this.#shown;
  }

  /** Reads a text in which names may stand. `switchName` is what the switch is called where that is done. */
  async accept<T>(parse: (names: PortNames) => T, switchName = this.#session.target): Promise<T> {
    const value = await lookupNames(this.#bridge, this.#options, parse);
    if (this.#options.names !== false) this.#number(switchName);
    return value;
  }

  async #fetch(): Promise<PortNames> {
    const session = await Session.open(this.#bridge, this.#options);
    try {
      return await namesToShow(session);
    } finally {
      session.close();
    }
  }

  /** The reference's connections that look names up take transaction ids of the same row, once for each name of a switch. */
  #number(switchName: string): void {
    if (this.#numbered.has(switchName)) return;
    this.#numbered.add(switchName);
    for (let i = 0; i < NAME_LOOKUP_XIDS; i++) this.#session.connection.xid();
  }
}
