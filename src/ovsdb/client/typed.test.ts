import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { streamPair } from '../../base/stream.ts';
import { Database } from '../engine/database.ts';
import { parseSchema } from '../engine/schema.ts';
import { parseJson } from '../json/json-text.ts';
import { OvsdbServer } from '../server/server.ts';
import { connectIdl } from './replica.ts';
import { schemaTypes } from './schema-types.ts';
import { type Integer, TransactionError, TypedDatabase } from './typed.ts';

const SCHEMA = `{"name":"D","tables":{
"Root":{"isRoot":true,"maxRows":1,"columns":{"n":{"type":"integer"},"items":{"type":{"key":{"type":"uuid","refTable":"Item"},"min":0,"max":"unlimited"}}}},
"Item":{"columns":{"name":{"type":"string"},"kind":{"type":{"key":{"type":"string","enum":["set",["a","b"]]},"min":0}},"m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}},"indexes":[["name"]]}}}`;

interface D {
  Root: { n: Integer; items: readonly string[] };
  Item: { name: string; kind: 'a' | 'b' | undefined; m: ReadonlyMap<string, Integer> };
}

/** A server with any number of clients; `cut` breaks all their connections. */
function world() {
  const clock = new VirtualClock();
  const server = new OvsdbServer(clock);
  server.add('D', new Database(parseSchema(parseJson(SCHEMA))));
  const connect = async () => {
    const [ours, theirs] = streamPair('test');
    server.accept(theirs);
    return ours;
  };
  const client = async (lock?: string): Promise<TypedDatabase<D>> => {
    const options = { remotes: ['unix:x'], database: 'D', tables: 'all' as const, ...(lock === undefined ? {} : { lock }) };
    return new TypedDatabase<D>(connectIdl(options, { connect, clock })).ready();
  };
  const cut = (): void => {
    for (const session of [...server.sessions]) session.destroy('cut');
  };
  return { clock, client, cut };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

const addItem = (db: TypedDatabase<D>, name: string, isVerified = true) =>
  db.transact((txn) => {
    const root = txn.rows('Root')[0]?.uuid ?? txn.insert('Root', { n: 0 });
    const item = txn.insert('Item', { name, kind: 'a', m: new Map([['x', 1]]) });
    if (isVerified) txn.verify('Root', root, 'items');
    txn.update('Root', root, { items: [...(txn.row('Root', root)?.get('items') ?? []), item] });
    return item;
  });

test('rows have their types, and inserted rows their UUIDs', async () => {
  const { client } = world();
  const db = await client();
  const { result, uuidOf } = await addItem(db, 'one');
  await settle();
  const uuid = uuidOf(result) ?? '';
  const row = db.row('Item', uuid);
  assert.deepEqual([row?.get('name'), row?.get('kind'), row?.get('m').get('x')], ['one', 'a', 1]);
  assert.deepEqual(db.rows('Root')[0]?.get('items'), [uuid]);
  await db.transact((txn) => txn.update('Item', uuid, { kind: undefined }));
  await settle();
  assert.equal(db.row('Item', uuid)?.get('kind'), undefined);
  assert.throws(() => db.rows('Item')[0]?.get('nosuch' as 'name'));
  db.close();
});

test('clients that verify what they read lose nothing of each other', async () => {
  const { client } = world();
  const clients = await Promise.all([client(), client(), client()]);
  await clients[0]?.transact((txn) => txn.insert('Root', { n: 0 }));
  await settle();
  await Promise.all(clients.flatMap((db, c) => [0, 1, 2, 3].map((i) => addItem(db, `item ${c} ${i}`))));
  await settle();
  assert.equal(clients[0]?.rows('Root')[0]?.get('items').length, 12);
  for (const db of clients) db.close();
});

test('a refusal is an error with the words of the server', async () => {
  const { client } = world();
  const db = await client();
  await addItem(db, 'one');
  await settle();
  await assert.rejects(addItem(db, 'one'), (error) => error instanceof TransactionError && error.message.includes('constraint violation'));
  await assert.rejects(
    db.transact(() => {
      throw new RangeError('mine');
    }),
    RangeError,
  );
  db.close();
});

test('without the lock nothing is changed', async () => {
  const { client } = world();
  const first = await client('l');
  const second = await client('l');
  await settle();
  assert.equal(first.idl.hasLock, true);
  assert.equal(second.idl.isLockContended, true);
  await assert.rejects(addItem(second, 'x'), /not locked/);
  first.close();
  await settle();
  await addItem(second, 'x');
  second.close();
});

test('after a broken connection it goes on', async () => {
  const { client, cut, clock } = world();
  const db = await client();
  const other = await client();
  await addItem(db, 'one');
  cut();
  await settle();
  assert.equal(db.idl.isConnected, false);
  const waiting = addItem(db, 'two');
  clock.advance(1100);
  await settle();
  await waiting;
  await settle();
  assert.deepEqual([...other.rows('Item')].map((row) => row.get('name')).sort(), ['one', 'two']);
  db.close();
  other.close();
});

test('types are made from a schema', () => {
  const text = schemaTypes(parseSchema(parseJson(SCHEMA)));
  assert.match(text, /readonly kind: 'a' \| 'b' \| undefined;/);
  assert.match(text, /readonly m: ReadonlyMap<string, Integer>;/);
  assert.match(text, /readonly items: readonly string\[\];/);
});
