import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CpuLatency } from './cpu-latency.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether this process has a file open. */
const isOpen = (path: string): boolean =>
  readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });

test('processors are kept from deep sleep while answers follow each other at once, and no longer', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-latency-'));
  const path = join(dir, 'cpu_dma_latency');
  writeFileSync(path, '');
  try {
    const latency = new CpuLatency(path);
    // Each 2 ms after the one before: their sender has other things to do.
    for (let i = 0; i < 1000; i++) latency.answered(2 * i);
    assert.equal(latency.isHeld, false);
    for (const round of [1, 2]) {
      const start = performance.now();
      for (let i = 0; i < 100; i++) latency.answered(start + i / 10);
      assert.equal(latency.isHeld, false, `a hundred are not enough, round ${round}`);
      for (let i = 100; i < 200; i++) latency.answered(start + i / 10);
      assert.ok(latency.isHeld && isOpen(path));
      assert.deepEqual(readFileSync(path), Buffer.alloc(4), 'microseconds as an int');
      for (let i = 0; i < 400 && latency.isHeld; i++) await sleep(5);
      assert.ok(!latency.isHeld && !isOpen(path), 'it ends by itself');
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('who may not ask for it goes on without', () => {
  const latency = new CpuLatency('/nonexistent/cpu_dma_latency');
  for (let i = 0; i < 300; i++) latency.answered(i / 10);
  assert.equal(latency.isHeld, false);
});
