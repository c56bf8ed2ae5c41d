// One commit is turned into each distinct update once, however many clients watch the same thing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { type StreamHandlers, streamPair } from '../../base/stream.ts';
import { Database } from '../engine/database.ts';
import { parseSchema } from '../engine/schema.ts';
import { parseJson } from '../json/json.ts';
import { OvsdbServer } from './server.ts';

const clock: Clock = { now: () => 0, wall: () => 0, after: () => () => {} };
const CLIENTS = 100;
const schema = '{"name":"D","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"s":{"type":"string"}}}}}';

test(`of an update to ${CLIENTS} clients the bytes are made once, and once more for each other way to watch`, () => {
  const turns: (() => void)[] = [];
  const server = new OvsdbServer(clock, { atTurnEnd: (fn) => void turns.push(fn) });
  server.add('D', new Database(parseSchema(parseJson(schema))));
  const settle = (): void => {
    while (turns.length > 0) turns.shift()?.();
  };
  /** Connects and sends a request; gives what is written to the client. */
  const connect = (request: string): { written: Uint8Array[]; send: (request: string) => void } => {
    const written: Uint8Array[] = [];
    let handlers: StreamHandlers | undefined;
    server.accept({
      ...streamPair()[0],
      name: 'client',
      queuedBytes: 0,
      start: (given) => {
        handlers = given;
      },
      write: (bytes) => void written.push(bytes),
      pause: () => {},
      resume: () => {},
      close: () => {},
      destroy: () => {},
    });
    const send = (text: string): void => {
      handlers?.onData(Buffer.from(text));
      settle();
    };
    send(request);
    return { written, send };
  };
  const watch = (method: string, columns: string): string =>
    `{"id":0,"method":"${method}","params":["D","m",{"T":[{"columns":[${columns}]}]}]}`;
  const kinds = [watch('monitor_cond', '"n","s"'), watch('monitor_cond', '"n"'), watch('monitor', '"n","s"')];
  const clients = Array.from({ length: CLIENTS }, (_, i) => connect(kinds[i % kinds.length] as string));
  for (const { written } of clients) written.length = 0;
  connect('{"id":0,"method":"transact","params":["D",{"op":"insert","table":"T","row":{"n":1,"s":"x"}}]}');
  assert.ok(clients.every(({ written }) => written.length === 1));
  assert.equal(new Set(clients.map(({ written }) => written[0])).size, kinds.length, 'not the same bytes, but equal ones');
});
