import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ofpParsePcapCommand, parsePcapCommand, writePcap } from './pcap.ts';

/** A TCP segment to port 6653 behind a VLAN tag and IPv4 options, with padding of the link behind it. */
function segment(tci: number, optionWords: number, sequence: number, data: string, flags = 0x10): Uint8Array {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const ipSize = 20 + 4 * optionWords;
  const ip = `4${hex(5 + optionWords, 1)}00${hex(ipSize + 20 + data.length / 2, 4)}000000004006${'0000'}0a0000010a000002${'00'.repeat(4 * optionWords)}`;
  const tcp = `19fd19fd${hex(sequence, 8)}0000000050${hex(flags, 2)}03e800000000`;
  return Buffer.from(`0200000000010200000000028100${hex(tci, 4)}0800${ip}${tcp}${data}${'00'.repeat(6)}`, 'hex');
}

test('messages are found behind tags and options of any length, and padding is none of theirs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pcap-'));
  const { write } = process.stdout;
  let said = '';
  try {
    const path = join(dir, 'pcap');
    const hello = '0100000800000001';
    writeFileSync(
      path,
      writePcap([segment(0x0f05, 1, 7, '', 2), segment(0x0105, 10, 8, hello), segment(5, 1, 16, hello.slice(0, -1).concat('2'))]),
    );
    process.stdout.write = ((chunk: unknown) => {
      said += String(chunk);
      return true;
    }) as typeof write;
    assert.equal(ofpParsePcapCommand(path, [], { verbosity: 0, timestamp: false }), 0);
  } finally {
    process.stdout.write = write;
    rmSync(dir, { recursive: true, force: true });
  }
  assert.deepEqual(said.match(/xid=0x\d/g), ['xid=0x1', 'xid=0x2'], said);
});

test('a file that cannot be read keeps no other from it, and the code is of the last such', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pcap-'));
  const { write } = process.stdout;
  const errors = process.stderr.write;
  let said = '';
  try {
    const path = join(dir, 'pcap');
    writeFileSync(path, writePcap([segment(5, 0, 1, '')]));
    process.stdout.write = ((chunk: unknown) => {
      said += String(chunk);
      return true;
    }) as typeof write;
    process.stderr.write = (() => true) as typeof errors;
    assert.equal(parsePcapCommand([join(dir, 'none'), path, path]), 2);
    assert.equal(parsePcapCommand([path]), 0);
  } finally {
    process.stdout.write = write;
    process.stderr.write = errors;
    rmSync(dir, { recursive: true, force: true });
  }
  assert.equal(said.match(/^tcp,/gm)?.length, 3, said);
});
