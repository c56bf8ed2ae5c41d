// Transactions a second of ovsdb-server: 1, 10 and 100 clients, 0 and 100 monitors, durable or not; ours beside Open vSwitch's, in turns, with
// the same client program.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './main.ts';
import { measureSize, type SizeResult } from './ovsdb-size.ts';

const root = join(import.meta.dirname, '..');
const contenders = [
  { name: 'weft', server: join(root, 'bin/ovsdb-server') },
  { name: 'ovs', server: '/usr/sbin/ovsdb-server' },
];
const SCHEMA = '{"name":"B","version":"1.0.0","tables":{"T":{"isRoot":true,"columns":{"n":{"type":"integer"},"t":{"type":"string"}}}}}';
const ROWS = 100;
const WARM_UP_MS = 400;

interface Measured {
  rate: number;
  rssMb: number;
  /** Microseconds of processor time of the server for a transaction: on a shared machine the steadier figure. */
  cpuUs: number;
}

/** Processor time of a process so far, in microseconds. */
function cpuTimeUs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A client that knows only where replies end, so that the server is measured and not the client. */
async function connect(path: string, onReply: () => void): Promise<Socket> {
  let socket = createConnection(path);
  const opened = (): Promise<unknown> => new Promise((resolve) => socket.once('connect', () => resolve(undefined)).once('error', resolve));
  // A listener whose queue is full says so; it is asked again.
  for (let i = 0; (await opened()) !== undefined; i++) {
    if (i > 100) throw new Error(`cannot connect to ${path}`);
    await sleep(10);
    socket = createConnection(path);
  }
  let rest = '';
  socket.on('data', (bytes) => {
    const text = rest + bytes.toString('latin1');
    for (let at = text.indexOf('"result":'); at >= 0; at = text.indexOf('"result":', at + 1)) onReply();
    rest = text.slice(-8);
  });
  socket.on('error', () => {});
  return socket;
}

async function rate(server: string, clients: number, monitors: number, isDurable: boolean, seconds: number): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-ovsdb-'));
  const path = join(dir, 's');
  let child: ChildProcess | undefined;
  const sockets: Socket[] = [];
  try {
    writeFileSync(join(dir, 'schema'), SCHEMA);
    execFileSync(join(root, 'bin/ovsdb-tool'), ['create', join(dir, 'db'), join(dir, 'schema')]);
    child = spawn(server, [`--remote=punix:${path}`, '--unixctl=none', '-vconsole:off', join(dir, 'db')], { stdio: 'ignore' });
    for (let i = 0; i < 400 && !existsSync(path); i++) await sleep(25);
    await sleep(100);
    const inserts = Array.from({ length: ROWS }, (_, n) => `{"op":"insert","table":"T","row":{"n":${n}}}`).join(',');
    const first = await new Promise<Socket>((resolve, reject) => {
      const made = connect(path, () => void made.then(resolve));
      made.then((socket) => socket.write(`{"id":0,"method":"transact","params":["B",${inserts}]}`), reject);
    });
    sockets.push(first);
    for (let i = 0; i < monitors; i++) {
      const socket = await connect(path, () => {});
      socket.write('{"id":0,"method":"monitor_cond","params":["B",null,{"T":[{}]}]}');
      sockets.push(socket);
    }
    let count = 0;
    for (let i = 0; i < clients; i++) {
      let n = 0;
      const send = (socket: Socket): void => {
        n++;
        const commit = isDurable ? ',{"op":"commit","durable":true}' : '';
        socket.write(
          `{"id":${n},"method":"transact","params":["B",{"op":"update","table":"T","where":[["n","==",${i % ROWS}]],"row":{"t":"v${n}"}}${commit}]}`,
        );
      };
      const socket: Socket = await connect(path, () => {
        count++;
        send(socket);
      });
      sockets.push(socket);
      send(socket);
    }
    await sleep(WARM_UP_MS);
    const before = count;
    const cpuBefore = cpuTimeUs(child.pid ?? 0);
    const start = performance.now();
    await sleep(seconds * 1000);
    const result = ((count - before) * 1000) / (performance.now() - start);
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? '0';
    return { rate: result, rssMb: Number(rss) / 1024, cpuUs: (cpuTimeUs(child.pid ?? 0) - cpuBefore) / Math.max(1, count - before) };
  } finally {
    for (const socket of sockets) socket.destroy();
    child?.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export async function run(options: BenchOptions): Promise<void> {
  const results: object[] = [];
  process.stdout.write('clients monitors durable    weft tx/s     ovs tx/s   ratio weft us/tx  ovs us/tx  weft MB  ovs MB\n');
  for (const isDurable of [false, true]) {
    for (const monitors of [0, 100]) {
      for (const clients of [1, 10, 100]) {
        const rates = new Map(contenders.map(({ name }) => [name, [] as number[]]));
        const sizes = new Map<string, number>();
        const costs = new Map(contenders.map(({ name }) => [name, [] as number[]]));
        for (let round = 0; round < options.rounds; round++) {
          for (const { name, server } of contenders) {
            if (!existsSync(server) || (options.only.length > 0 && !options.only.includes(name))) continue;
            const measured = await rate(server, clients, monitors, isDurable, options.seconds);
            rates.get(name)?.push(measured.rate);
            costs.get(name)?.push(measured.cpuUs);
            sizes.set(name, measured.rssMb);
          }
        }
        const [weft, ovs] = contenders.map(({ name }) => median(rates.get(name) ?? [])) as [number, number];
        const row = [clients, monitors, isDurable ? 'yes' : 'no', weft.toFixed(0), ovs.toFixed(0), (weft / ovs).toFixed(2)];
        const [weftUs, ovsUs] = contenders.map(({ name }) => median(costs.get(name) ?? []));
        const [weftMb, ovsMb] = contenders.map(({ name }) => sizes.get(name)?.toFixed(0) ?? '-');
        process.stdout.write(
          `${[...row, weftUs?.toFixed(0), ovsUs?.toFixed(0), weftMb, ovsMb].map((cell, i) => String(cell).padStart([7, 8, 7, 13, 12, 7, 10, 10, 8, 7][i] ?? 8)).join(' ')}\n`,
        );
        results.push({ clients, monitors, isDurable, weft, ovs, weftUs, ovsUs, rates: Object.fromEntries(rates) });
      }
    }
  }
  process.stdout.write('\n100 MB database      weft      ovs    ratio\n');
  const sizes = new Map(contenders.map(({ name }) => [name, [] as SizeResult[]]));
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, server } of contenders) {
      if (existsSync(server) && (options.only.length === 0 || options.only.includes(name)))
        sizes.get(name)?.push(await measureSize(server, 100e6));
    }
  }
  for (const [label, member] of [
    ['open, ms', 'openMs'],
    ['dump, ms', 'dumpMs'],
    ['memory after, MB', 'rssMb'],
    ['memory at most, MB', 'peakMb'],
  ] as const) {
    const [weft, ovs] = contenders.map(({ name }) => median((sizes.get(name) ?? []).map((size) => size[member]))) as [number, number];
    // Less is better: the ratio is turned, so that more is better as above.
    process.stdout.write(
      `${label.padEnd(18)} ${weft.toFixed(0).padStart(6)}   ${ovs.toFixed(0).padStart(6)}   ${(ovs / weft).toFixed(2).padStart(6)}\n`,
    );
  }
  results.push({ large: Object.fromEntries(sizes) });
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, 'bench/results/ovsdb.json'), `${JSON.stringify(results, undefined, 1)}\n`);
}
