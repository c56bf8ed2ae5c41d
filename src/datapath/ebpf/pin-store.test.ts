import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Attachment } from '../../bpf/attachment.ts';
import { PinStore } from './pin-store.ts';

/** What is pinned is a link with a text, which any file system has. */
const attachment = (text: string): Attachment => ({
  kind: 'tcx',
  number: 1,
  replace() {},
  detach: (unpin) => unpin?.(),
  close() {},
  pin: (path) => symlinkSync(text, path),
});

test('a link takes the pin of a filter over, or leaves nothing where it cannot', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'weft-pins-'));
  t.after(() => rmSync(root, { recursive: true }));
  const store = new PinStore(join(root, 'store'));
  const links = join(store.dir, 'links');
  store.pinAttachment(attachment('filter'), 5, 'ingress');
  assert.ok(store.pinInstead(attachment('link'), 5, 'ingress', () => {}));
  assert.deepEqual(readdirSync(links), ['5-ingress']);
  assert.equal(readlinkSync(join(links, '5-ingress')), 'link');
  // Another's folder is where the pin belongs.
  mkdirSync(join(links, '6-ingress', 'another'), { recursive: true });
  assert.equal(
    store.pinInstead(attachment('link'), 6, 'ingress', () => {}),
    false,
  );
  assert.ok(!existsSync(join(links, '6-ingress-new')));
  // Nor when the program was not to be had.
  const refuse = (): never => {
    throw new Error('refused');
  };
  assert.equal(store.pinInstead(attachment('other'), 5, 'ingress', refuse), false);
  assert.deepEqual(readdirSync(links).toSorted(), ['5-ingress', '6-ingress']);
  assert.equal(readlinkSync(join(links, '5-ingress')), 'link');
});
