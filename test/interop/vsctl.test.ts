// ovs-vsctl beside Debian's: the same command lines, each on a database of its own, give the same output, exit codes and database.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLines, generatedLines } from './vsctl-lines.ts';

const schema = '/usr/share/openvswitch/vswitch.ovsschema';
const skip = existsSync('/usr/bin/ovs-vsctl') && existsSync(schema) ? false : 'needs openvswitch-switch';
const ours = join(import.meta.dirname, '../../bin/ovs-vsctl');

class Side {
  readonly dir = mkdtempSync(join(tmpdir(), 'weft-vsctl-'));
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(program: string) {
    this.#program = program;
    const { dir } = this;
    this.#env = { ...process.env, OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
    execFileSync('ovsdb-tool', ['create', `${dir}/conf.db`, schema]);
    const args = [`--remote=punix:${dir}/db.sock`, '--detach', `--pidfile=${dir}/db.pid`, '--log-file', '-vconsole:off', `${dir}/conf.db`];
    assert.equal(spawnSync('ovsdb-server', args, { env: this.#env, stdio: 'ignore' }).status, 0);
  }

  run(args: readonly string[]): string {
    const { status, signal, stdout, stderr } = spawnSync(this.#program, [`--db=unix:${this.dir}/db.sock`, '--no-wait', ...args], {
      env: this.#env,
      encoding: 'utf8',
    });
    const text = `${stdout}|${stderr}|${status}|${signal}`
      .replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gm, 'TIME')
      .replaceAll('/usr/bin/ovs-vsctl:', 'ovs-vsctl:')
      .replaceAll(this.dir, 'DIR');
    return this.#nameless(text);
  }

  /** Rows come in an order that follows from their UUIDs: sort what was printed, then hide the UUIDs. */
  #nameless(text: string): string {
    const hidden = text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID');
    return hidden
      .split(/\n(?=\n)|\n(?= {4}(?:Bridge|Manager) )|\n(?= {8}(?:Port|Controller) )/)
      .map((part) => part.trimEnd())
      .sort()
      .join('\n');
  }

  dump(): string {
    const text = execFileSync('ovsdb-client', ['dump', `unix:${this.dir}/db.sock`, 'Open_vSwitch', '--format=json'], {
      env: this.#env,
      encoding: 'utf8',
    });
    const tables = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { caption: string; data: unknown[][] });
    // A row's UUID is replaced by a name made of what it holds, so that references compare too.
    const names = new Map<string, string>();
    for (const { caption, data } of tables) {
      for (const row of data) {
        const own = JSON.stringify(row[0])
          .replaceAll(/[^0-9a-f-]/g, '')
          .slice(-36);
        const rest = JSON.stringify(row.slice(1)).replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '');
        names.set(own, `${caption} ${rest}`);
      }
    }
    const hide = (value: unknown): unknown => {
      if (typeof value === 'string') return names.get(value) ?? value;
      if (!Array.isArray(value)) return value;
      const list = value.map(hide);
      return list[0] === 'set' || list[0] === 'map' ? [list[0], (list[1] as unknown[]).map((v) => JSON.stringify(v)).sort()] : list;
    };
    return tables.map(({ caption, data }) => [caption, ...data.map((row) => JSON.stringify(hide(row))).sort()].join('\n')).join('\n\n');
  }

  stop(): void {
    process.kill(Number(readFileSync(`${this.dir}/db.pid`, 'utf8')));
    rmSync(this.dir, { recursive: true });
  }
}

function compare(lines: readonly (readonly string[])[]): void {
  const reference = new Side('/usr/bin/ovs-vsctl');
  const weft = new Side(ours);
  const faults: string[] = [];
  try {
    for (const args of lines) {
      const want = reference.run(args);
      const have = weft.run(args);
      if (want !== have) faults.push(`${JSON.stringify(args)}\n  want ${JSON.stringify(want)}\n  have ${JSON.stringify(have)}`);
    }
    assert.equal(faults.length, 0, `${faults.length} of ${lines.length} differ:\n${faults.join('\n')}`);
    assert.equal(weft.dump(), reference.dump());
  } finally {
    reference.stop();
    weft.stop();
  }
}

test('command lines by hand', { skip }, () => compare(commandLines));
test('generated command lines', { skip }, () => compare(generatedLines(150, 1)));
