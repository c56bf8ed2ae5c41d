import type { LogEntry } from './log-store.ts';
import { testLogStore } from './log-store-contract.ts';
import { MemoryLogStore } from './memory-log-store.ts';

testLogStore('memory', async () => {
  let left: readonly LogEntry[] = [];
  return {
    open: async () => {
      const store = new MemoryLogStore(left);
      left = store.entries;
      const { close } = store;
      store.close = async () => {
        left = store.entries;
        await close.call(store);
      };
      return store;
    },
    remove: async () => {},
  };
});
