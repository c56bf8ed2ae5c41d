// Two clients that send many requests at once and wait for no answer in between, in turns, to Debian's server and ours: the same two streams of bytes,
// cut at the same places. What each request finds and what each monitor is told, and when, must be the same, message by message.
// WEFT_OVSDB_PIPELINED sets how many pairs of streams are tried, WEFT_OVSDB_SEED where to start.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from './support/ovsdb-random-schema.ts';
import { canonical } from './support/raw-rpc.ts';

const reference = '/usr/sbin/ovsdb-server';
const skip = !existsSync(reference);
const own = join(import.meta.dirname, '../../bin/ovsdb-server');
const pairs = Number(process.env['WEFT_OVSDB_PIPELINED'] ?? 6);
const firstSeed = Number(process.env['WEFT_OVSDB_SEED'] ?? 1);
const REQUESTS = 120;
/** At once. */
const MOST = 12;
const SCHEMA =
  '{"name":"P","version":"1.0.0","tables":{"T":{"isRoot":true,"indexes":[["k"]],"columns":{"k":{"type":"integer"},"n":{"type":"integer"},' +
  '"who":{"type":{"key":"string","min":0,"max":"unlimited"}}}}}}';
const PATIENCE_MS = 20_000;

/** What one client sends: requests that find what the other's have left. */
function stream(dice: Dice, who: string): string[] {
  const key = (): number => dice.below(4);
  const where = (): string => `[["k","==",${key()}]]`;
  const operation = (): string =>
    dice.pick([
      () => `{"op":"insert","table":"T","row":{"k":${key()},"who":"${who}"}}`,
      () => `{"op":"mutate","table":"T","where":${where()},"mutations":[["n","+=",${1 + dice.below(5)}],["who","insert","${who}"]]}`,
      () => `{"op":"update","table":"T","where":${where()},"row":{"who":"${who}"}}`,
      () => `{"op":"delete","table":"T","where":${where()}}`,
      () => `{"op":"select","table":"T","where":${where()},"columns":["k","n","who"]}`,
      () =>
        `{"op":"wait","table":"T","where":${where()},"columns":["n"],"until":"${dice.pick(['==', '!='])}","rows":[{"n":${dice.below(3)}}],"timeout":0}`,
      () => '{"op":"assert","lock":"l"}',
      () => '{"op":"commit","durable":true}',
    ])();
  const requests: string[] = [];
  for (let id = 0; id < REQUESTS; id++) {
    const [method, params] = dice.pick([
      ...Array.from({ length: 12 }, () => () => ['transact', `["P",${Array.from({ length: 1 + dice.below(3) }, operation).join(',')}]`]),
      () => [dice.pick(['monitor', 'monitor_cond']), `["P",${id},{"T":[{"columns":["k","n","who"]}]}]`],
      () => ['monitor_cancel', `[${dice.below(id + 1)}]`],
      () => [dice.pick(['lock', 'steal', 'unlock']), '["l"]'],
      () => ['echo', `["${who}"]`],
    ])() as [string, string];
    requests.push(`{"id":${id},"method":"${method}","params":${params}}`);
  }
  return requests;
}

/** The messages in a text. */
function messages(text: string): string[] {
  const list: string[] = [];
  let [depth, start, isInString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (isInString) {
      if (c === '\\') i++;
      else if (c === '"') isInString = false;
    } else if (c === '"') isInString = true;
    else if (c === '{' || c === '[') depth++;
    else if ((c === '}' || c === ']') && --depth === 0) {
      list.push(canonical(text.slice(start, i + 1)));
      start = i + 1;
    }
  }
  return list;
}

const isUpdate = (text: string): boolean => /"method":"update2?"/.test(text);

/**
 * What is told at once to several monitors of one session comes in an order of hashes: it is sorted here. Which of the pairs of equal rows is told of is
 * chance, as are their UUIDs.
 */
function normal(list: readonly string[]): string[] {
  const texts = list.map((text) =>
    text
      .replace(/(?<=identical values )\(.*?(?=","error")/, 'of two rows')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID'),
  );
  for (let start = 0; start < texts.length; start++) {
    let end = start;
    while (end < texts.length && isUpdate(texts[end] as string)) end++;
    if (end > start + 1) texts.splice(start, end - start, ...texts.slice(start, end).sort());
    if (end > start) start = end - 1;
  }
  return texts;
}

/** What a client sends at once. */
interface Piece {
  readonly client: number;
  readonly text: string;
}

/** The requests of two clients in turns, several at once. */
function inTurns(dice: Dice, streams: readonly string[][]): Piece[] {
  const pieces: Piece[] = [];
  for (let client = 0; streams.some((list) => list.length > 0); client = 1 - client) {
    const text = streams[client]?.splice(0, 1 + dice.below(MOST)).join('') ?? '';
    if (text !== '') pieces.push({ client, text });
  }
  return pieces;
}

/** What each client hears. */
async function hear(program: string, dir: string, pieces: readonly Piece[]): Promise<string[][]> {
  mkdirSync(dir);
  writeFileSync(join(dir, 'schema'), SCHEMA);
  execFileSync('/usr/bin/ovsdb-tool', ['create', join(dir, 'db'), join(dir, 'schema')]);
  const socket = join(dir, 's');
  const args = [`--remote=punix:${socket}`, '--unixctl=none', '-vconsole:off', join(dir, 'db')];
  const server: ChildProcess = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: dir }, stdio: 'ignore' });
  const sockets: Socket[] = [];
  try {
    const heard = ['', ''];
    const until = async (what: string, holds: () => boolean): Promise<void> => {
      for (const end = Date.now() + PATIENCE_MS; !holds(); ) {
        assert.ok(Date.now() < end, `${program}: never ${what}: ${heard.map((text) => text.slice(-300)).join('\n')}`);
        await sleep(2);
      }
    };
    await until('there', () => existsSync(socket));
    await sleep(100);
    /** Sends, and waits until all of it has been answered. */
    let marks = 0;
    const send = async (client: number, text: string): Promise<void> => {
      const mark = `"mark ${marks++}"`;
      sockets[client]?.write(`${text}{"id":${mark},"method":"echo","params":[]}`);
      await until('answered', () => heard[client]?.includes(mark) === true);
    };
    for (const i of heard.keys()) {
      const client = createConnection(socket);
      client.setEncoding('utf8').on('data', (piece: string) => (heard[i] += piece));
      sockets.push(client);
      await send(i, '');
    }
    for (const { client, text } of pieces) {
      await send(client, text);
      await send(1 - client, '');
    }
    return heard.map(messages);
  } finally {
    for (const client of sockets) client.destroy();
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }
}

for (let seed = firstSeed; seed < firstSeed + pairs; seed++) {
  test(`two clients with ${REQUESTS} requests each at once, seed ${seed}`, { skip }, async () => {
    const dice = new Dice(seed);
    const streams = ['a', 'b'].map((who) => stream(dice, who));
    const pieces = inTurns(dice, streams);
    const dir = mkdtempSync(join(tmpdir(), 'weft-pipelined-'));
    try {
      const theirs = await hear(reference, join(dir, 'theirs'), pieces);
      const ours = await hear(own, join(dir, 'ours'), pieces);
      assert.deepEqual(ours.map(normal), theirs.map(normal));
      assert.ok(theirs.every((list) => list.length > REQUESTS));
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}
