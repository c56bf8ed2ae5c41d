// `openweft/ovsdb`: what a program needs that reads or changes an OVSDB database. It stands here because it joins the client with the sockets of host.
import { realClock } from '../../host/real-clock.ts';
import { openStream } from '../../host/sockets/socket.ts';
import { setTlsKeys } from '../../host/sockets/tls-keys.ts';
import type { IdlOptions } from '../../ovsdb/client/idl.ts';
import { connectIdl } from '../../ovsdb/client/replica.ts';
import { type TablesOf, TypedDatabase } from '../../ovsdb/client/typed.ts';

export type { ColumnValue, Idl, IdlClause, IdlOptions, IdlRow } from '../../ovsdb/client/idl.ts';
export { schemaTypes } from '../../ovsdb/client/schema-types.ts';
export {
  type Integer,
  type RowValues,
  TransactionError,
  type TypedClause,
  type TypedDatabase,
  type TypedRow,
  type TypedTransaction,
} from '../../ovsdb/client/typed.ts';
export type { OpenVSwitch } from './open-vswitch.ts';

export interface DatabaseOptions extends Omit<IdlOptions, 'tables' | 'assumedSchema'> {
  /** Tables and columns to replicate; all when left out. */
  tables?: IdlOptions['tables'];
  /** Files for `ssl:` remotes, the same for all connections of the process. */
  keys?: { privateKey: string; certificate: string; caCert: string };
}

/** Connects to a database and resolves with its first contents; the connection is made again whenever it breaks, until `close`. */
export function openDatabase<Db extends TablesOf<Db>>(options: DatabaseOptions): Promise<TypedDatabase<Db>> {
  const { keys, tables = 'all', ...rest } = options;
  if (keys !== undefined) setTlsKeys(keys);
  const replica = connectIdl({ ...rest, tables }, { connect: (remote) => openStream(remote, 6640), clock: realClock });
  return new TypedDatabase<Db>(replica).ready();
}
