// The IDL (`openweft/ovsdb`) where things go wrong, against Debian's server and ours: locks that are stolen, columns that others change, connections
// that end in the middle of a transaction, servers that come back with the history and without, conditions that change meanwhile.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../src/daemon/ovsdb-client/public.ts';
import { RawRpc } from './support/raw-rpc.ts';

const skip = existsSync('/usr/sbin/ovsdb-server') ? false : 'needs openvswitch-switch';
const SERVERS = [
  ["Debian's server", '/usr/sbin/ovsdb-server'],
  ['our server', join(import.meta.dirname, '../../bin/ovsdb-server')],
] as const;

interface Items {
  Item: { name: string; n: number; tags: readonly string[] };
}
const schema = {
  name: 'Things',
  version: '1.0.0',
  tables: {
    Item: {
      isRoot: true,
      columns: { name: { type: 'string' }, n: { type: 'integer' }, tags: { type: { key: 'string', min: 0, max: 'unlimited' } } },
    },
  },
};

class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-idl-'));
  readonly #program: string;
  #server: ChildProcess | undefined;
  #closers: (() => void)[] = [];
  others: RawRpc[] = [];

  constructor(program: string) {
    this.#program = program;
    writeFileSync(join(this.dir, 'schema'), JSON.stringify(schema));
    execFileSync('/usr/bin/ovsdb-tool', ['create', join(this.dir, 'db'), join(this.dir, 'schema')]);
  }

  async start(): Promise<void> {
    const { dir } = this;
    rmSync(`${dir}/s`, { force: true });
    const args = [`--remote=punix:${dir}/s`, `--unixctl=${dir}/ctl`, '-vconsole:off', ...this.sources];
    this.#server = spawn(this.#program, args, { stdio: 'ignore', env: { ...process.env, OVS_RUNDIR: dir } });
    this.others = [await RawRpc.open(`${dir}/s`)];
  }

  /** What the server serves. */
  sources: string[] = [join(this.dir, 'db')];

  async stop(): Promise<void> {
    for (const other of this.others) other.close();
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }

  /** A client of the server, or of something between. */
  async open(more: { lock?: string; remote?: string; conditions?: ReadonlyMap<string, readonly boolean[]> } = {}) {
    const { remote = `unix:${this.dir}/s`, ...rest } = more;
    const db = await openDatabase<Items>({ remotes: [remote], database: 'Things', ...rest });
    this.#closers.push(() => db.close());
    return db;
  }

  /** Something between: it hears what goes by, and may end both connections instead of passing on what it is given. */
  async between(cut: (text: string, isRequest: boolean) => boolean): Promise<{ remote: string; said: string[]; end(): void }> {
    const path = join(this.dir, `between${this.#closers.length}`);
    const said: string[] = [];
    const sockets = new Set<Socket>();
    const proxy = createServer((client) => {
      const server = createConnection(`${this.dir}/s`);
      const end = (): void => {
        client.destroy();
        server.destroy();
      };
      for (const [from, to, isRequest] of [
        [client, server, true],
        [server, client, false],
      ] as const) {
        sockets.add(from);
        from.setEncoding('utf8');
        from.on('error', end).on('close', end);
        from.on('data', (text: string) => {
          said.push(text);
          if (cut(text, isRequest)) end();
          else to.write(text);
        });
      }
    });
    await new Promise<void>((resolve) => proxy.listen(path, resolve));
    this.#closers.push(() => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    });
    const end = (): void => {
      for (const socket of sockets) socket.destroy();
    };
    return { remote: `unix:${path}`, said, end };
  }

  async transact(...operations: object[]): Promise<string> {
    return (await this.others[0]?.call('transact', JSON.stringify(['Things', ...operations]))) ?? '';
  }

  async end(): Promise<void> {
    for (const close of this.#closers) close();
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (holds()) return;
    await sleep(20);
  }
  assert.fail(`never: ${what}`);
}

const insert = (name: string, n = 0): object => ({ op: 'insert', table: 'Item', row: { name, n } });
const set = (name: string, row: object): object => ({ op: 'update', table: 'Item', where: [['name', '==', name]], row });

type Db = Awaited<ReturnType<World['open']>>;
const names = (db: Db): string[] =>
  db
    .rows('Item')
    .map((row) => `${row.get('name')}=${row.get('n')}`)
    .sort();
const addOnce = (db: Db, name: string): Promise<unknown> =>
  db.transact((txn) => {
    if (!txn.rows('Item').some((row) => row.get('name') === name)) txn.insert('Item', { name });
  });

async function within(program: string, body: (world: World) => Promise<void>): Promise<void> {
  const world = new World(program);
  try {
    await world.start();
    await body(world);
  } finally {
    await world.end();
  }
}

for (const [title, program] of SERVERS) {
  test(`${title}: a stolen lock is noticed, and transactions are refused until it is back`, { skip }, () =>
    within(program, async (world) => {
      const db = await world.open({ lock: 'l' });
      await until('lock', () => db.idl.hasLock);
      await addOnce(db, 'a');
      await world.others[0]?.call('steal', '["l"]');
      // Refused also before the news has come.
      await assert.rejects(addOnce(db, 'b'), /not locked/);
      await until('theft', () => !db.idl.hasLock && db.idl.isLockContended);
      await assert.rejects(addOnce(db, 'b'), /not locked/);
      await world.others[0]?.call('unlock', '["l"]');
      await until('lock again', () => db.idl.hasLock);
      assert.equal(db.idl.isLockContended, false);
      await addOnce(db, 'b');
      await until('both', () => names(db).join() === 'a=0,b=0');
    }),
  );

  test(`${title}: verified columns that others change meanwhile: tried again until it holds`, { skip }, () =>
    within(program, async (world) => {
      const clients = await Promise.all([world.open(), world.open(), world.open()]);
      await world.transact(insert('counter'));
      await until('all see it', () => clients.every((db) => db.rows('Item').length === 1));
      const addOne = (db: Db): Promise<unknown> =>
        db.transact((txn) => {
          const [row] = txn.rows('Item');
          assert.ok(row);
          txn.verify('Item', row.uuid, 'n');
          txn.update('Item', row.uuid, { n: row.get('n') + 1 });
        });
      await Promise.all(
        clients.map(async (db) => {
          for (let i = 0; i < 30; i++) await addOne(db);
        }),
      );
      assert.match(await world.transact({ op: 'select', table: 'Item', where: [], columns: ['n'] }), /"n":90\b/);
    }),
  );

  test(`${title}: a connection that ends when a transaction has been committed and not answered`, { skip }, () =>
    within(program, async (world) => {
      let cuts = 0;
      const { remote } = await world.between((text, isRequest) => {
        if (isRequest || cuts >= 3 || !text.includes('"uuid"') || !/"result":\[\{/.test(text)) return false;
        cuts++;
        return true;
      });
      const db = await world.open({ remote, lock: 'l' });
      await until('lock', () => db.idl.hasLock);
      for (const name of ['a', 'b', 'c']) {
        for (;;) {
          try {
            await addOnce(db, name);
            break;
          } catch (error) {
            // The server may still hold the lock for the connection that ended.
            assert.match(String(error), /not locked/);
            await until('lock again', () => db.idl.hasLock);
          }
        }
      }
      assert.equal(cuts, 3);
      await until('contents', () => names(db).join() === 'a=0,b=0,c=0');
      const count = (await world.transact({ op: 'select', table: 'Item', where: [], columns: ['_uuid'] })).split('"_uuid"').length - 1;
      assert.equal(count, 3, 'nothing was done twice');
    }),
  );

  test(`${title}: it comes back, the same or with another database`, { skip }, () =>
    within(program, async (world) => {
      const db = await world.open();
      await world.transact(insert('a'), insert('b'));
      await until('contents', () => db.rows('Item').length === 2);
      await world.stop();
      await until('loss', () => !db.idl.isCurrent);
      assert.deepEqual(names(db), ['a=0', 'b=0'], 'what it held it still shows');
      await world.start();
      await world.transact(set('a', { n: 5 }), { op: 'delete', table: 'Item', where: [['name', '==', 'b']] });
      await until('what came after', () => names(db).join() === 'a=5');
      await world.stop();
      rmSync(join(world.dir, 'db'));
      execFileSync('/usr/bin/ovsdb-tool', ['create', join(world.dir, 'db'), join(world.dir, 'schema')]);
      await world.start();
      await world.transact(insert('other'));
      await until('the other database', () => names(db).join() === 'other=0');
    }),
  );

  test(`${title}: conditions change while transactions are under way and connections end`, { skip }, () =>
    within(program, async (world) => {
      let isCut = false;
      const { remote } = await world.between((text) => isCut && text.includes('monitor_cond_change'));
      for (let n = 0; n < 6; n++) await world.transact(insert(`i${n}`, n));
      const db = await world.open({ remote, conditions: new Map([['Item', [false]]]) });
      assert.deepEqual(names(db), []);
      const changed = db.setCondition('Item', [['n', '<', 2]]);
      const added = db.transact((txn) => txn.insert('Item', { name: 'x', n: 1 }));
      await Promise.all([changed, added]);
      await until('below 2', () => names(db).join() === 'i0=0,i1=1,x=1');
      // The first is overtaken by the second.
      await Promise.all([
        db.setCondition('Item', [['n', '==', 3]]),
        db.setCondition('Item', [
          ['name', '==', 'i4'],
          ['n', '==', 5],
        ]),
      ]);
      assert.deepEqual(names(db), ['i4=4', 'i5=5']);
      // What leaves the condition leaves the replica; what it never held cannot be changed.
      await world.transact(set('i5', { n: 50 }), set('i3', { n: 5 }));
      await until('moved', () => names(db).join() === 'i3=5,i4=4');
      await assert.rejects(db.setCondition('Item', [['name', '<', 'x']]), /Type mismatch|syntax error/);
      assert.deepEqual(names(db), ['i3=5', 'i4=4']);
      // The connection ends with the change under way: nobody knows whether it was heard.
      isCut = true;
      const again = db.setCondition('Item', [['tags', 'includes', ['t']]]);
      await until('loss', () => !db.idl.isCurrent);
      isCut = false;
      await world.transact(set('i1', { tags: ['set', ['t', 'u']] }));
      await again;
      await until('by tag', () => names(db).join() === 'i1=1');
      await db.setCondition('Item', []);
      assert.deepEqual(names(db), []);
      await db.setCondition('Item', [true]);
      assert.equal(db.rows('Item').length, 7);
    }),
  );
}

test("Debian's clustered server: a replica is told what it missed, or everything where the history is gone", { skip }, async () => {
  const world = new World('/usr/sbin/ovsdb-server');
  const file = join(world.dir, 'cluster');
  execFileSync('/usr/bin/ovsdb-tool', ['create-cluster', file, join(world.dir, 'db'), `unix:${world.dir}/raft`], { stdio: 'ignore' });
  world.sources = [file];
  try {
    await world.start();
    const ready = async (): Promise<void> => {
      for (let i = 0; i < 400 && (await world.transact({ op: 'comment', comment: '' })).includes('"error":{'); i++) await sleep(25);
    };
    await ready();
    const { remote, said, end } = await world.between(() => false);
    // No more atoms of transactions are remembered than the database has.
    await world.transact(insert('a'), insert('b'), ...Array.from({ length: 50 }, (_, i) => insert(`c${i}`)));
    const db = await world.open({ remote });
    await until('contents', () => db.rows('Item').length === 52);
    await world.transact(set('a', { n: 1 }));
    await until('change', () => names(db)[0] === 'a=1');
    const found = (): string[] => said.flatMap((text) => /"result":\[(true|false),"/.exec(text)?.[1] ?? []);
    // A cluster's log has the transactions since it was compacted.
    for (const [how, n, isFound] of [
      ['cut', 2, true],
      ['restart', 3, true],
      ['compact', 4, false],
    ] as const) {
      said.length = 0;
      if (how === 'compact') execFileSync('/usr/bin/ovs-appctl', ['-t', `${world.dir}/ctl`, 'ovsdb-server/compact'], { stdio: 'ignore' });
      if (how === 'cut') end();
      else await world.stop();
      await until('loss', () => !db.idl.isCurrent);
      if (how !== 'cut') await world.start();
      await ready();
      await world.transact(set('b', { n }));
      await until('what came after', () => db.idl.isCurrent && names(db)[1] === `b=${n}`);
      assert.deepEqual(found(), [String(isFound)], how);
    }
  } finally {
    await world.end();
  }
});
