// A database of 100 MB: time until the server answers, time to dump it to a client, memory then; ours beside Open vSwitch's, in turns.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeRecordText } from '../src/ovsdb/log/log-record.ts';

const SCHEMA =
  '{"name":"B","version":"1.0.0","tables":{"Port":{"isRoot":true,"columns":{"name":{"type":"string"},"tag":{"type":{"key":"integer","min":0}},' +
  '"ifaces":{"type":{"key":{"type":"uuid","refTable":"Iface"},"min":0,"max":"unlimited"}},' +
  '"ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}},' +
  '"Iface":{"columns":{"name":{"type":"string"},"mac":{"type":{"key":"string","min":0}},"stats":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}}}}}';

/** Distinct, and spread as random ones are: the reference hashes the first 32 bits alone. */
const uuid = (kind: number, n: number): string =>
  `${(Math.imul(n * 8 + kind, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}-0000-4000-800${kind}-${n.toString(16).padStart(12, '0')}`;

/** Writes a database file of about this size: ports with an interface each, half in one large record, half in small ones. */
export function writeLargeDatabase(path: string, sizeBytes: number): void {
  const pieces: Buffer[] = [encodeRecordText(SCHEMA)];
  const port = (n: number): string =>
    `"${uuid(1, n)}":{"name":"port-of-tenant-${n}","tag":${n % 4096},"ifaces":["uuid","${uuid(2, n)}"],"ids":["map",[["attached-mac","fa:16:3e:${n}"],["iface-id","${uuid(3, n)}"],["vm-id","${uuid(4, n)}"]]]}`;
  const iface = (n: number): string =>
    `"${uuid(2, n)}":{"name":"tap${n}","mac":"fa:16:3e:00:${n % 97}","stats":["map",[["rx_bytes",${n * 977}],["rx_packets",${n}],["tx_bytes",${n * 1013}],["tx_packets",${n}]]]}`;
  let n = 0;
  let size = 0;
  const record = (count: number): void => {
    const numbers = Array.from({ length: count }, () => n++);
    const bytes = encodeRecordText(
      `{"Port":{${numbers.map(port).join(',')}},"Iface":{${numbers.map(iface).join(',')}},"_date":1700000000000}`,
    );
    pieces.push(bytes);
    size += bytes.length;
  };
  const each = port(100_000).length + iface(100_000).length;
  record(Math.floor(sizeBytes / 2 / each));
  while (size < sizeBytes) record(100);
  writeFileSync(path, Buffer.concat(pieces));
}

export interface SizeResult {
  fileMb: number;
  openMs: number;
  dumpMs: number;
  rssMb: number;
  peakMb: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends a request and waits for the end of its reply; gives the milliseconds. */
function ask(path: string, request: string): Promise<{ ms: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = createConnection(path, () => socket.write(request));
    let bytes = 0;
    let tail = '';
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length;
      tail = (tail + piece.subarray(-32).toString('latin1')).slice(-32);
      if (!tail.endsWith(',"error":null}')) return;
      resolve({ ms: performance.now() - start, bytes });
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/** The socket is there before its owner listens. */
async function askFirst(path: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await ask(path, '{"id":0,"method":"list_dbs","params":[]}');
      return;
    } catch (error) {
      if (tries === 500) throw error;
      await sleep(10);
    }
  }
}

/** One server with one database. */
export async function measureSize(server: string, sizeBytes: number): Promise<SizeResult> {
  const dir = mkdtempSync(join(tmpdir(), 'weft-bench-ovsdb-'));
  let child: ChildProcess | undefined;
  try {
    const db = join(dir, 'db');
    const path = join(dir, 's');
    writeLargeDatabase(db, sizeBytes);
    const start = performance.now();
    child = spawn(server, [`--remote=punix:${path}`, '--unixctl=none', '-vconsole:off', db], { stdio: 'ignore' });
    for (let i = 0; i < 6000 && !existsSync(path); i++) await sleep(10);
    await askFirst(path);
    const openMs = performance.now() - start;
    const dump = await ask(path, '{"id":1,"method":"monitor_cond","params":["B",null,{"Port":[{}],"Iface":[{}]}]}');
    if (dump.bytes < sizeBytes / 2) throw new Error(`the dump has only ${dump.bytes} bytes`);
    const memory = (name: string): number =>
      Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${child?.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    return { fileMb: statSync(db).size / 1e6, openMs, dumpMs: dump.ms, rssMb: memory('VmRSS'), peakMb: memory('VmHWM') };
  } finally {
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    if (child?.kill('SIGKILL') === true) await ended;
    rmSync(dir, { recursive: true, force: true });
  }
}
