// Several servers of one database, `METHOD1,METHOD2,...`: each is tried once, in their order, until one has the database and, of a cluster, leads it.
import { errnoOf, strerror } from '../../base/errno.ts';
import { logger } from '../../base/log.ts';
import { isPassiveTarget } from '../../host/sockets/socket-target.ts';
import { asObject, type Json, jsonObject } from '../../ovsdb/json/json.ts';
import type { RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import { ClientError } from './context.ts';

const log = logger('reconnect');

/** Connects to the first that will do. `database` is what it must have, if any; `connect` says of a failure why in what it throws. */
export async function connectToOne(
  servers: readonly string[],
  database: string | undefined,
  mustLead: boolean,
  connect: (server: string) => Promise<RpcSession>,
): Promise<RpcSession> {
  for (const [i, server] of servers.entries()) {
    const isPassive = isPassiveTarget(server);
    // The reference waits for a connection only where that comes first.
    log.info(`${server}: ${isPassive && i === 0 ? 'listening' : 'connecting'}...`);
    let session: RpcSession;
    try {
      if (isPassive && i > 0) throw new Error(strerror(errnoOf('EAFNOSUPPORT')));
      session = await connect(server);
    } catch (error) {
      log.info(`${server}: connection attempt failed (${(error as Error).message})`);
      continue;
    }
    log.info(`${server}: connected`);
    if (database === undefined || (await suits(session, database, mustLead))) return session;
    session.close();
    log.info(`${server}: connection attempt timed out`);
  }
  throw new ClientError('no servers were available');
}

async function suits(session: RpcSession, database: string, mustLead: boolean): Promise<boolean> {
  const select = jsonObject({ op: 'select', table: 'Database', where: [['name', '==', database]] });
  let reply: Json;
  try {
    reply = await session.call('transact', ['_Server', select]);
  } catch {
    return false;
  }
  const rows = asObject(Array.isArray(reply) ? reply[0] : undefined)?.get('rows');
  const row = asObject(Array.isArray(rows) ? rows[0] : undefined);
  return row?.get('connected') === true && (!mustLead || row.get('leader') === true);
}
