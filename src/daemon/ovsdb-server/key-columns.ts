// Files of keys whose names stand in the database, as `db:DB,TABLE,COLUMN`.
import type { ParsedOption } from '../../base/getopt.ts';
import { keysFromOptions, reportKeyFaults, setTlsKeys } from '../../host/sockets/tls-keys.ts';
import type { OvsdbServer } from '../../ovsdb/server/server.ts';
import { firstText, parseTextColumn } from './managers.ts';

/** What a column may name, in the order in which the reference looks for it. */
const COLUMN_KEYS = ['private-key', 'certificate', 'ca-cert', 'bootstrap-ca-cert', 'ssl-protocols', 'ssl-ciphers'] as const;
/** The order in which it then uses what it found. */
const KEY_ORDER = ['certificate', 'private-key', 'ca-cert', 'bootstrap-ca-cert', 'ssl-protocols', 'ssl-ciphers'] as const;

export class KeyColumns {
  readonly #server: OvsdbServer;
  readonly #options: readonly ParsedOption[];

  constructor(server: OvsdbServer, options: readonly ParsedOption[]) {
    this.#server = server;
    this.#options = options;
  }

  /** What options say, columns or not. */
  get values(): string[] {
    return this.#options.map(({ value = '' }) => value);
  }

  /** What is wrong with the names of columns that hold names of key files; '' when nothing is. */
  faults(): string {
    const columns = COLUMN_KEYS.map((name) => this.#options.findLast((option) => option.name === name)?.value ?? '');
    const parsed = columns.filter((value) => value.startsWith('db:')).map((value) => parseTextColumn(this.#server, value));
    return parsed.map((fault) => (typeof fault === 'string' ? `${fault}\n` : '')).join('');
  }

  /** Says what is wrong with the files of keys. Key and certificate count only together. */
  reportFaults(): void {
    const given = KEY_ORDER.flatMap((name) => {
      const value = this.#options.findLast((option) => option.name === name)?.value;
      if (value === undefined) return [];
      const file = value.startsWith('db:') ? firstText(this.#server, value) : value;
      return file === '' && value !== '' ? [] : [{ name, value: file }];
    });
    const isPair = ['certificate', 'private-key'].every((name) => given.some((option) => option.name === name));
    reportKeyFaults(given.filter(({ name }) => isPair || (name !== 'certificate' && name !== 'private-key')));
  }

  /** Reads the names of key files, those in the database anew. */
  refresh(): void {
    setTlsKeys(keysFromOptions(this.#options, (value) => (value.startsWith('db:') ? firstText(this.#server, value) : value)));
  }
}
