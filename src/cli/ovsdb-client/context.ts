// What the commands of ovsdb-client share.
import type { Json } from '../../ovsdb/json/json.ts';
import { formatJson } from '../../ovsdb/json/json-format.ts';
import { parseJson } from '../../ovsdb/json/json-text.ts';
import { RpcError, type RpcSession } from '../../ovsdb/json/jsonrpc.ts';
import type { Background } from '../background.ts';
import type { TablePrinter, TableStyle } from '../table-output.ts';

/** What came of the command line. */
export interface ClientContext {
  readonly server: string;
  readonly args: string[];
  readonly style: TableStyle;
  readonly hasTimestamps: boolean;
  readonly isForced: boolean;
  readonly printer: TablePrinter;
  /** Of commands that go on until they are ended: how they go to the background. */
  readonly background: Background | undefined;
  /** Connects; `onNotify` hears what the server says unasked, `database` must be there where there is a choice of servers. */
  connect(onNotify?: (method: string, params: Json[]) => void, database?: string): Promise<RpcSession>;
  /** The database named by the next argument, or the one that the server has. */
  database(rpc: RpcSession): Promise<string>;
}

/** A fault to be printed after the program's name. */
export class ClientError extends Error {}

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

let awaited = 0;

/** Whether the answer to a request is waited for. */
export const isAsking = (): boolean => awaited > 0;

/** Sends a request; an error reply ends the tool with its text. */
export async function request(session: RpcSession, method: string, params: Json[]): Promise<Json> {
  awaited++;
  try {
    return await session.call(method, params);
  } catch (error) {
    if (error instanceof RpcError)
      throw new ClientError(`${method === 'transact' ? 'transaction' : method} returned error: ${formatJson(error.error, { sort: true })}`);
    throw error;
  } finally {
    awaited--;
  }
}

/** Parses an argument that is JSON. */
export function parseArgument(text: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    throw new ClientError(`"${text}": ${(error as Error).message}`);
  }
}
