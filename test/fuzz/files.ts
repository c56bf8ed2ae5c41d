// Hostile files, and what the kernel says in files and datagrams: captures, recordings for replay, databases and clusters on the disk, netlink, tables of routes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/base/errors.ts';
import { ofpParsePcapCommand, parsePcapCommand } from '../../src/cli/ofctl/pcap.ts';
import { checkCluster } from '../../src/cli/ovsdb-tool/check.ts';
import { clusterToStandalone } from '../../src/cli/ovsdb-tool/cluster.ts';
import { LogPrinter } from '../../src/cli/ovsdb-tool/log.ts';
import { DatabaseFile } from '../../src/daemon/ovsdb-server/file.ts';
import { readClusterRecords, readDatabaseFile } from '../../src/daemon/ovsdb-server/file-records.ts';
import { decodeLinkEvents, encodeLinkChange } from '../../src/host/netlink/link-message.ts';
import { neighborMac, routeTo } from '../../src/host/netlink/next-hop.ts';
import { decodeRouteEvents, encodeRouteRequest } from '../../src/host/netlink/route-message.ts';
import { readReplayFile } from '../../src/host/replay/replay-file.ts';
import { holds } from '../../src/host/sockets/tls-keys.ts';
import { OvsdbError } from '../../src/ovsdb/engine/error.ts';
import { anyCapture } from '../compare/captures.ts';
import { spoil } from '../compare/flow-lines.ts';
import type { Dice } from '../compare/random.ts';
import { anyFrame, harm } from './frame-maker.ts';
import { clusterBytes, databaseBytes } from './ovsdb.ts';
import type { Target } from './runner.ts';

const dir = mkdtempSync(join(tmpdir(), 'weft-fuzz-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
}

/** Runs what prints on the process's own outputs; gives what it printed. */
function quiet(run: () => unknown): string {
  const kept = [process.stdout.write, process.stderr.write] as const;
  let said = '';
  process.stdout.write = process.stderr.write = ((chunk: unknown) => {
    said += String(chunk);
    return true;
  }) as typeof process.stdout.write;
  try {
    run();
  } finally {
    [process.stdout.write, process.stderr.write] = kept;
  }
  return said;
}

/** Frames of any kind in a capture of either byte order. */
function frameCapture(d: Dice): Uint8Array {
  const parts: Buffer[] = [];
  const isBig = d.chance(1, 3);
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (isBig) bytes.writeUInt32BE(value >>> 0);
    else bytes.writeUInt32LE(value >>> 0);
    return bytes;
  };
  parts.push(word(d.pick([0xa1b2c3d4, 0xa1b2c3d4, 0xa1b23c4d])), word(2), word(0), word(0), word(65535), word(d.pick([1, 1, 113, 7])));
  for (let i = d.below(5); i > 0; i--) {
    const frame = anyFrame(d);
    parts.push(word(d.u32()), word(d.u32()), word(frame.length), word(frame.length), Buffer.from(frame));
  }
  return Buffer.concat(parts);
}

function capture(d: Dice): void {
  const isFrames = d.chance(1, 2);
  let bytes = isFrames ? frameCapture(d) : anyCapture(d, 1 + d.below(4));
  if (d.chance(1, 2)) bytes = harm(d, bytes);
  const path = file('pcap', bytes);
  quiet(() => {
    if (d.chance(1, 2)) parsePcapCommand([path]);
    ofpParsePcapCommand(path, d.chance(1, 2) ? [] : ['80', '21', String(d.below(65536))], {
      verbosity: d.below(3),
      timestamp: d.chance(1, 2),
    });
  });
}

function replay(d: Dice): void {
  const parts: Buffer[] = [];
  for (let i = d.below(5); i > 0; i--) {
    const body = d.bytes(d.below(20));
    const head = Buffer.alloc(8);
    const isInput = d.chance(1, 2);
    head.writeInt32LE(isInput ? d.below(1000) : -d.below(1000), 0);
    head.writeInt32LE(d.chance(1, 6) ? d.pick([-11, 0, 0x7fffffff, -0x80000000]) : body.length, 4);
    parts.push(head, isInput ? Buffer.from(body) : Buffer.alloc(0));
  }
  const whole = Buffer.concat(parts);
  const bytes = d.chance(1, 2) ? harm(d, whole) : whole;
  let size = 0;
  for (const { bytes: body, seqno } of readReplayFile(file('replay', bytes))) {
    size += 8 + body.length;
    assert.ok(seqno >= 0);
  }
  assert.ok(size <= bytes.length);
}

/** What a command throws to end with its message; anything that the language throws is a fault of ours. */
function plain(run: () => void): void {
  try {
    run();
  } catch (error) {
    if ((error as Error).constructor !== Error && !(error instanceof OvsdbError) && !(error instanceof ConfigError)) throw error;
  }
}

function database(d: Dice): void {
  const path = file('db', databaseBytes(d));
  const isStrict = d.chance(1, 2);
  if (d.chance(1, 2)) {
    const printer = new LogPrinter(d.below(4), () => {});
    plain(() => readDatabaseFile(path, (json, number) => printer.record(json, number)));
    return;
  }
  DatabaseFile.open(path, { isReadOnly: true, isStrict }).close();
}

function cluster(d: Dice): void {
  const paths = Array.from({ length: 1 + d.below(2) }, (_, i) => file(`cluster${i}`, clusterBytes(d)));
  plain(() => checkCluster(paths, () => {}));
  const printer = new LogPrinter(d.below(4), () => {});
  plain(() => readClusterRecords(paths[0]!, (json, number) => printer.clusterRecord(json, number)));
  const target = join(dir, 'standalone');
  try {
    plain(() => clusterToStandalone(target, paths[0]!));
  } finally {
    rmSync(target, { force: true });
    rmSync(join(dir, '.standalone.~lock~'), { force: true });
  }
}

function netlink(d: Dice): void {
  const attribute = (type: number, body: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array((4 + body.length + 3) & ~3);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, d.chance(1, 15) ? d.below(80) : 4 + body.length, true);
    view.setUint16(2, type, true);
    bytes.set(body, 4);
    return bytes;
  };
  const message = (): Uint8Array => {
    const attributes = d.some(5, () =>
      attribute(d.below(60), d.chance(1, 4) ? attribute(d.below(10), d.bytes(d.below(12))) : d.bytes(d.pick([0, 1, 4, 6, 8, 16, 96, 192]))),
    );
    const body = Buffer.concat([d.bytes(d.pick([0, 4, 8, 12, 16])), ...attributes]);
    const head = Buffer.alloc(16);
    head.writeUInt32LE(d.chance(1, 10) ? d.pick([0, 15, 16, 0xffffffff, d.below(100)]) : 16 + body.length, 0);
    head.writeUInt16LE(d.pick([2, 3, 16, 17, 20, 24]), 4);
    return Buffer.concat([head, body]);
  };
  const known = d.chance(1, 4)
    ? [encodeLinkChange(1, 2, { mtu: 1500, alias: 'x' }), encodeRouteRequest(1, Uint8Array.of(1, 2, 3, 4), undefined, 7)]
    : [];
  const whole = Buffer.concat([...known, ...d.some(3, message)]);
  const bytes = d.chance(1, 2) ? harm(d, whole) : whole;
  decodeLinkEvents(bytes);
  decodeRouteEvents(bytes);
}

const ROUTES =
  'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\neth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n';
const NEIGHBORS = 'IP address  HW type  Flags  HW address  Mask  Device\n10.0.0.1  0x1  0x2  02:00:00:00:00:01  *  eth0\n';
const PEM = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

const spoilt = (d: Dice, text: string): string => {
  let now = text;
  for (let i = d.below(5); i > 0; i--) now = spoil(d, `${now} `);
  return now;
};

export const FILE_TARGETS: Readonly<Record<string, Target>> = {
  capture,
  replay,
  database,
  cluster,
  netlink,
  nextHop: (d) => {
    const hop = routeTo(d.pick([0x0a000005, 0x08080808]), spoilt(d, ROUTES));
    neighborMac(hop?.hop ?? 0x0a000001, hop?.device ?? 'eth0', spoilt(d, NEIGHBORS));
  },
  keys: (d) => {
    const path = file('key.pem', Buffer.from(spoilt(d, PEM), 'latin1'));
    holds(path, 'PRIVATE KEY');
    holds(path, 'CERTIFICATE');
  },
};
