// A database like OVN's southbound one: 6,000 logical ports in 60 datapaths, watched by 100 hypervisors. `all`: each watches everything, the same as the
// others. `own`: each asks for the ports of three datapaths, by conditions, and changes its mind once after the start, as ovn-controller does. Ports are
// bound one after the other: how long until the last who watches one has heard of it, and what it costs the server and the wire.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './main.ts';
import { root } from './namespaces.ts';
import { Table } from './table.ts';

const PORTS = 6000;
const DATAPATHS = 60;
const CLIENTS = 100;
/** Datapaths that a client watches. */
const OWN = 3;
const DATABASE = 'Southbound';
const NO_TRANSACTION = '00000000-0000-0000-0000-000000000000';
const strings = { key: 'string', value: 'string', min: 0, max: 'unlimited' };
const rowOf = (refTable: string, refType: string, min: number) => ({ key: { type: 'uuid', refTable, refType }, min, max: 1 });
const SCHEMA = {
  name: DATABASE,
  version: '1.0.0',
  tables: {
    Hypervisor: { isRoot: true, indexes: [['name']], columns: { name: { type: 'string' }, external_ids: { type: strings } } },
    Datapath: { isRoot: true, indexes: [['tunnel_key']], columns: { tunnel_key: { type: 'integer' }, external_ids: { type: strings } } },
    Port: {
      isRoot: true,
      indexes: [['logical_port'], ['datapath', 'tunnel_key']],
      columns: {
        logical_port: { type: 'string' },
        type: { type: 'string' },
        datapath: { type: rowOf('Datapath', 'strong', 1) },
        tunnel_key: { type: { key: { type: 'integer', minInteger: 1, maxInteger: 32767 } } },
        mac: { type: { key: 'string', min: 0, max: 'unlimited' } },
        options: { type: strings },
        external_ids: { type: strings },
        hypervisor: { type: rowOf('Hypervisor', 'weak', 0) },
        up: { type: { key: 'boolean', min: 0 } },
      },
    },
  },
};
const SCENARIOS = ['all', 'own'] as const;
type Scenario = (typeof SCENARIOS)[number];
const COLUMNS = ['start, s', 'bound, median ms', 'p99', 'CPU us', 'KB sent', 'MB'] as const;
const contenders = [
  { name: 'weft', label: 'Weft', server: join(root, 'bin/ovsdb-server') },
  { name: 'ovs', label: 'Open vSwitch', server: '/usr/sbin/ovsdb-server' },
] as const;

/** Spread as random ones are. */
const uuid = (kind: number, n: number): string =>
  `${(Math.imul(n * 8 + kind, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}-0000-4000-800${kind}-${n.toString(16).padStart(12, '0')}`;
const [hypervisorOf, datapathOf, portOf] = [1, 2, 3].map((kind) => (n: number) => uuid(kind, n)) as [
  (n: number) => string,
  (n: number) => string,
  (n: number) => string,
];

function contents(): object[] {
  const rows = (table: string, count: number, idOf: (n: number) => string, row: (n: number) => object): object[] =>
    Array.from({ length: count }, (_, n) => ({ op: 'insert', table, uuid: idOf(n), row: row(n) }));
  return [
    ...rows('Hypervisor', CLIENTS, hypervisorOf, (n) => ({ name: `hypervisor-${n}` })),
    ...rows('Datapath', DATAPATHS, datapathOf, (n) => ({ tunnel_key: n + 1, external_ids: ['map', [['name', `network-${n}`]]] })),
    ...rows('Port', PORTS, portOf, (n) => ({
      logical_port: uuid(4, n),
      datapath: ['uuid', datapathOf(n % DATAPATHS)],
      tunnel_key: Math.floor(n / DATAPATHS) + 1,
      mac: `fa:16:3e:00:${(n >> 8).toString(16)}:${(n & 255).toString(16)} 10.${n >> 8}.${n & 255}.5`,
      options: ['map', [['requested-chassis', `hypervisor-${n % CLIENTS}`]]],
      external_ids: [
        'map',
        [
          ['neutron:cidrs', `10.${n >> 8}.${n & 255}.5/24`],
          ['neutron:device_id', uuid(5, n)],
          ['neutron:revision_number', '4'],
        ],
      ],
    })),
  ];
}

const UPDATE = '"method":"update3"';
const ANSWER = '"error":null';

/** One that watches: how many updates it has heard, and how many bytes. */
class Watcher {
  readonly #socket: Socket;
  readonly #onHeard: () => void;
  updates = 0;
  bytes = 0;
  #rest = '';
  #answered: (() => void) | undefined;

  constructor(socket: Socket, onHeard: () => void) {
    this.#onHeard = onHeard;
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (piece: string) => this.#take(piece));
  }

  /** Connects; a server has so many who wait for it, and refuses others until it has looked. */
  static async open(path: string, onHeard: () => void): Promise<Watcher> {
    for (let tries = 0; ; tries++) {
      try {
        return await new Promise((resolve, reject) => {
          const socket = createConnection(path, () => resolve(new Watcher(socket, onHeard)));
          socket.once('error', reject);
        });
      } catch (error) {
        if (tries === 500) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  #take(piece: string): void {
    this.bytes += piece.length;
    const text = this.#rest + piece;
    let seen = 0;
    let updates = 0;
    for (let at = text.indexOf(UPDATE); at >= 0; at = text.indexOf(UPDATE, seen)) {
      updates++;
      seen = at + UPDATE.length;
    }
    const answer = text.lastIndexOf(ANSWER);
    if (answer >= 0) this.#answered?.();
    // What may be the beginning of one of the two, and neither itself.
    this.#rest = text.slice(Math.max(seen, answer + 1, text.length - UPDATE.length));
    if (updates === 0) return;
    this.updates += updates;
    this.#onHeard();
  }

  ask(method: string, params: unknown): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.write(JSON.stringify({ id: 1, method, params }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const watched = (client: number, shift: number): number[] => Array.from({ length: OWN }, (_, i) => (client * OWN + i + shift) % DATAPATHS);
const condition = (datapaths: readonly number[]): unknown => datapaths.map((n) => ['datapath', '==', ['uuid', datapathOf(n)]]);

/** Processor time of all threads of a process so far, in microseconds. */
function cpuTimeUs(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  return total;
}

async function measure(server: string, scenario: Scenario, seconds: number, add: (column: string, figure: number) => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-southbound-'));
  const path = join(dir, 's');
  const watchers: Watcher[] = [];
  let child: ChildProcess | undefined;
  try {
    writeFileSync(join(dir, 'schema'), JSON.stringify(SCHEMA));
    execFileSync(join(root, 'bin/ovsdb-tool'), ['create', join(dir, 'db'), join(dir, 'schema')]);
    child = spawn(server, [`--remote=punix:${path}`, '--unixctl=none', '-vconsole:off', join(dir, 'db')], { stdio: 'ignore' });
    const pid = child.pid as number;
    for (let i = 0; i < 400 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    await new Promise((resolve) => setTimeout(resolve, 100));
    let heard = (): void => {};
    const writer = await Watcher.open(path, () => {});
    await writer.ask('transact', [DATABASE, ...contents()]);
    const begin = performance.now();
    for (let i = 0; i < CLIENTS; i++) watchers.push(await Watcher.open(path, () => heard()));
    const requests = (where: unknown): object => ({
      Hypervisor: [{}],
      Datapath: [{}],
      Port: [scenario === 'all' ? {} : { where }],
    });
    await Promise.all(
      watchers.map((one, i) => one.ask('monitor_cond_since', [DATABASE, 'm', requests(condition(watched(i, 1))), NO_TRANSACTION])),
    );
    if (scenario === 'own')
      await Promise.all(
        watchers.map((one, i) => one.ask('monitor_cond_change', ['m', 'm', { Port: [{ where: condition(watched(i, 0)) }] }])),
      );
    add(COLUMNS[0], (performance.now() - begin) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const watchersOf = Array.from({ length: DATAPATHS }, (_, n) =>
      scenario === 'all' ? CLIENTS : watchers.filter((_, i) => watched(i, 0).includes(n)).length,
    );
    for (const one of watchers) one.updates = one.bytes = 0;
    const latencies: number[] = [];
    const isUp: boolean[] = [];
    let wanted = 0;
    const total = (): number => watchers.reduce((sum, one) => sum + one.updates, 0);
    const cpuBefore = cpuTimeUs(pid);
    for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
      const n = Math.imul(latencies.length, 2654435761) >>> 0;
      const port = n % PORTS;
      wanted += watchersOf[port % DATAPATHS] as number;
      // Each update must change the port, however often it has been its turn.
      isUp[port] = isUp[port] !== true;
      const row = { hypervisor: ['uuid', hypervisorOf(latencies.length % CLIENTS)], up: isUp[port] };
      const start = performance.now();
      const all = new Promise<void>((resolve) => {
        heard = () => {
          if (total() >= wanted) resolve();
        };
      });
      await Promise.all([
        writer.ask('transact', [DATABASE, { op: 'update', table: 'Port', where: [['_uuid', '==', ['uuid', portOf(port)]]], row }]),
        all,
      ]);
      latencies.push(performance.now() - start);
    }
    latencies.sort((a, b) => a - b);
    const count = latencies.length;
    add(COLUMNS[1], latencies[count >> 1] as number);
    add(COLUMNS[2], latencies[Math.floor(count * 0.99)] as number);
    add(COLUMNS[3], (cpuTimeUs(pid) - cpuBefore) / count);
    add(COLUMNS[4], watchers.reduce((sum, one) => sum + one.bytes, 0) / count / 1000);
    add(COLUMNS[5], Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
    writer.close();
  } finally {
    for (const one of watchers) one.close();
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    if (child?.kill('SIGKILL') === true) await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Prints and keeps the table. */
export async function run(options: BenchOptions): Promise<void> {
  const digits = [2, 2, 2, 0, 1, 0];
  const table = new Table(
    'southbound',
    COLUMNS.map((name, i) => ({ name, digits: digits[i] as number })),
  );
  const chosen = contenders.filter(({ name, server }) => existsSync(server) && (options.only.length === 0 || options.only.includes(name)));
  for (let i = 1; i <= options.rounds; i++) {
    for (const scenario of SCENARIOS) {
      if (!scenario.includes(options.scenario)) continue;
      for (const { label, server } of chosen) {
        process.stderr.write(`southbound, round ${i} of ${options.rounds}: ${label}, ${scenario}\n`);
        await measure(server, scenario, options.seconds, (column, figure) => table.add(`${label}, ${scenario}`, column, figure));
      }
    }
  }
  table.print(`${PORTS} ports, ${CLIENTS} clients`, (row) => row.replace(/^[^,]*/, 'Open vSwitch'));
  table.keep(options);
}
