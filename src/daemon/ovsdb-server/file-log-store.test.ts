import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testLogStore } from '../../ovsdb/log/log-store-contract.ts';
import { FileLog } from './file-log.ts';
import { FileLogStore } from './file-log-store.ts';

testLogStore('file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'weft-log-store-'));
  const path = join(dir, 'db');
  FileLog.create(path, [() => ['{"name":"L","tables":{}}']]);
  return {
    open: async () => new FileLogStore(path),
    remove: async () => rmSync(dir, { recursive: true }),
  };
});
