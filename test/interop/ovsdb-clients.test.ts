// Client libraries: ours (`openweft/ovsdb`, by its example) against Debian's server, Debian's Python IDL against our server and against Debian's.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const skip = existsSync('/usr/sbin/ovsdb-server') && existsSync(schema) ? false : 'needs openvswitch-switch';
const hasPython = spawnSync('/usr/bin/python3', ['-c', 'import ovs.db.idl']).status === 0;
const OURS = join(root, 'bin/ovsdb-server');
const THEIRS = '/usr/sbin/ovsdb-server';

async function serve(program: string, dir: string): Promise<ChildProcess> {
  const args = [`--remote=punix:${dir}/db.sock`, '-vconsole:off', '--unixctl=none', `${dir}/conf.db`];
  const child = spawn(program, args, { env: { ...process.env, OVS_RUNDIR: dir, OVS_LOGDIR: dir }, stdio: 'ignore' });
  for (let i = 0; i < 600; i++) {
    if (spawnSync('/usr/bin/ovsdb-client', ['-t5', '-vconsole:off', 'list-dbs', `unix:${dir}/db.sock`]).status === 0) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  return assert.fail(`${program} does not serve`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function inFolder<T>(fn: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-clients-'));
  try {
    execFileSync('/usr/bin/ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    return await fn(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const [title, program] of [
  ["Debian's", THEIRS],
  ['our', OURS],
] as const) {
  test(`the example of openweft/ovsdb against ${title} server`, { skip }, async () => {
    assert.ok(readFileSync(join(root, 'examples/ovsdb.ts'), 'utf8').trim().split('\n').length <= 20);
    await inFolder(async (dir) => {
      const server = await serve(program, dir);
      const example = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', join(root, 'examples/ovsdb.ts'), `unix:${dir}/db.sock`, 'br7'],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      try {
        let said = '';
        example.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()));
        const until = async (pattern: RegExp): Promise<void> => {
          for (let i = 0; i < 600 && !pattern.test(said); i++) await new Promise((resolve) => setTimeout(resolve, 50));
          assert.match(said, pattern);
        };
        await until(/br7: 1 ports/);
        const vsctl = (...args: string[]): string =>
          execFileSync('/usr/bin/ovs-vsctl', [`--db=unix:${dir}/db.sock`, '--no-wait', '-t20', ...args], { encoding: 'utf8' });
        assert.equal(vsctl('get', 'bridge', 'br7', 'fail_mode', '--', 'list-ifaces', 'br7'), 'secure\n');
        assert.equal(vsctl('get', 'interface', 'br7', 'type'), 'internal\n');
        vsctl('add-port', 'br7', 'p1', '--', 'add-br', 'br8');
        await until(/br7: 2 ports/);
        await until(/br8: 1 ports/);
      } finally {
        await stop(example);
        await stop(server);
      }
    });
  });
}

/** What a program on Python's IDL sees: first contents, its own transactions, a condition, a lock, and the rest after the server came back. */
const PYTHON = `
import sys, time
import ovs.db.idl, ovs.poller, ovs.jsonrpc
remote, schema, step = sys.argv[1:4]
helper = ovs.db.idl.SchemaHelper(location=schema)
helper.register_columns('Open_vSwitch', ['bridges', 'next_cfg', 'external_ids'])
helper.register_columns('Bridge', ['name', 'ports', 'other_config', 'flood_vlans', 'fail_mode', 'stp_enable'])
helper.register_columns('Port', ['name', 'interfaces', 'tag'])
helper.register_columns('Interface', ['name', 'type', 'ofport_request'])
def client(**kw):
    return ovs.db.idl.Idl(remote, helper_for(), **kw)
def helper_for():
    h = ovs.db.idl.SchemaHelper(location=schema)
    for t, c in (('Open_vSwitch', ['bridges', 'next_cfg', 'external_ids']), ('Bridge', ['name', 'ports', 'other_config', 'flood_vlans', 'fail_mode', 'stp_enable']), ('Port', ['name', 'interfaces', 'tag']), ('Interface', ['name', 'type', 'ofport_request'])):
        h.register_columns(t, c)
    return h
def until(idls, holds, what):
    end = time.time() + 30
    while not holds():
        if time.time() > end:
            print('never:', what); sys.exit(1)
        for i in idls:
            i.run()
        p = ovs.poller.Poller()
        for i in idls:
            i.wait(p)
        p.timer_wait(100)
        p.block()
def commit(idl, txn):
    status = [txn.commit()]
    def done():
        if status[0] == ovs.db.idl.Transaction.INCOMPLETE:
            status[0] = txn.commit()
        return status[0] != ovs.db.idl.Transaction.INCOMPLETE
    until([idl], done, 'commit')
    return ovs.db.idl.Transaction.status_to_string(status[0])
def show(idl):
    for t in ('Open_vSwitch', 'Bridge', 'Port', 'Interface'):
        for r in sorted(idl.tables[t].rows.values(), key=lambda r: getattr(r, 'name', '')):
            cols = {}
            for c in sorted(idl.tables[t].columns):
                if c.startswith('_'): continue
                v = getattr(r, c)
                if isinstance(v, list): v = sorted(getattr(x, 'name', str(x)) for x in v)
                elif isinstance(v, dict): v = sorted(v.items())
                cols[c] = v
            print(t, cols)
a = client()
until([a], lambda: a.has_ever_connected() and a.change_seqno > 0, 'contents')
if step == 'first':
    txn = ovs.db.idl.Transaction(a)
    root = txn.insert(a.tables['Open_vSwitch']); bridges = []
    for n in ('br0', 'br1'):
        i = txn.insert(a.tables['Interface']); i.name = n; i.type = 'internal'; i.ofport_request = [5]
        p = txn.insert(a.tables['Port']); p.name = n; p.interfaces = [i]; p.tag = [7]
        b = txn.insert(a.tables['Bridge']); b.name = n; b.ports = [p]; b.other_config = {'a': 'b', 'c': n}; b.flood_vlans = [1, 2, 3]
        bridges.append(b)
    root.bridges = bridges
    txn.add_comment('by the Python IDL')
    print(commit(a, txn)); until([a], lambda: len(a.tables['Bridge'].rows) == 2, 'bridges'); show(a)
    b0 = [b for b in a.tables['Bridge'].rows.values() if b.name == 'br0'][0]
    txn = ovs.db.idl.Transaction(a)
    b0.setkey('other_config', 'k', 'v'); b0.delkey('other_config', 'a'); b0.verify('name')
    next(iter(a.tables['Open_vSwitch'].rows.values())).increment('next_cfg')
    print(commit(a, txn), txn.get_increment_new_value()); until([a], lambda: b0.other_config == {'c': 'br0', 'k': 'v'}, 'keys'); show(a)
    # a transaction on what another client has changed
    o = client(); until([o], lambda: o.change_seqno > 0, 'other contents')
    b1 = [b for b in o.tables['Bridge'].rows.values() if b.name == 'br0'][0]
    txn = ovs.db.idl.Transaction(o); b1.other_config = {'x': 'other'}; print(commit(o, txn))
    txn = ovs.db.idl.Transaction(a); b0.verify('other_config'); b0.fail_mode = ['secure']; print(commit(a, txn))
    until([a], lambda: b0.other_config == {'x': 'other'}, 'the other change'); show(a)
    txn = ovs.db.idl.Transaction(a); b0.other_config = {str(i): 'x' for i in range(3)}; b0.stp_enable = True; print(commit(a, txn))
    txn = ovs.db.idl.Transaction(a); b0.name = 'x' ; print(commit(a, txn))
    txn = ovs.db.idl.Transaction(a); i = txn.insert(a.tables['Interface']); i.name = 'br0'; p = txn.insert(a.tables['Port']); p.name = 'p'; p.interfaces = [i]; b0.addvalue('ports', p)
    print(commit(a, txn), '"error":"constraint violation"' in txn.get_error().replace(' ', ''))
    # locks
    a.set_lock('l'); until([a], lambda: a.has_lock, 'lock')
    o.set_lock('l'); until([o], lambda: o.is_lock_contended, 'contention')
    txn = ovs.db.idl.Transaction(o); b1.verify('name'); b1.fail_mode = ['standalone']; print(commit(o, txn), o.has_lock)
    a.set_lock(None); until([a, o], lambda: o.has_lock, 'lock of the other')
    txn = ovs.db.idl.Transaction(o); b1.fail_mode = ['standalone']; print(commit(o, txn))
    # a conditional monitor, and a change of its condition
    c = client()
    c.cond_change('Bridge', [['name', '==', 'br1']])
    until([c], lambda: c.change_seqno > 0 and [b.name for b in c.tables['Bridge'].rows.values()] == ['br1'], 'condition'); print('condition br1')
    c.cond_change('Bridge', [['name', '==', 'br0']])
    until([c], lambda: [b.name for b in c.tables['Bridge'].rows.values()] == ['br0'], 'other condition'); print('condition br0')
    c.cond_change('Bridge', [True])
    until([c], lambda: len(c.tables['Bridge'].rows) == 2, 'no condition'); show(c)
    # the server goes and comes back; nothing is lost
    print('ready', flush=True)
    until([a], lambda: any(b.name == 'br2' for b in a.tables['Bridge'].rows.values()), 'what came after the restart'); show(a)
`;

async function pythonSays(program: string): Promise<string> {
  return inFolder(async (dir) => {
    let server = await serve(program, dir);
    const client = spawn('/usr/bin/python3', ['-c', PYTHON, `unix:${dir}/db.sock`, schema, 'first'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => client.kill('SIGKILL'), 120_000);
    try {
      let said = '';
      const restart = new Promise<void>((resolve) => {
        client.stdout?.on('data', (bytes: Buffer) => {
          said += bytes.toString();
          if (said.includes('ready\n')) resolve();
        });
        client.once('exit', () => resolve());
      });
      client.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()));
      const ended = new Promise((resolve) => client.once('close', resolve));
      await restart;
      await stop(server);
      server = await serve(program, dir);
      execFileSync('/usr/bin/ovs-vsctl', [`--db=unix:${dir}/db.sock`, '--no-wait', '-t20', 'add-br', 'br2']);
      await ended;
      return said.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID').replaceAll(/UUID(?:, 'UUID')*/g, 'UUID');
    } finally {
      clearTimeout(timer);
      await stop(client);
      await stop(server);
    }
  });
}

test("Debian's Python IDL against our server sees what it sees of Debian's", {
  skip: skip || (hasPython ? false : 'needs python3-openvswitch'),
}, async () => {
  const [want, have] = await Promise.all([pythonSays(THEIRS), pythonSays(OURS)]);
  assert.equal(have, want);
  assert.match(want, /ready\n[\s\S]*br2/);
  assert.doesNotMatch(want, /Traceback|never/);
});
