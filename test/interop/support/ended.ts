import type { ChildProcess } from 'node:child_process';

/**
 * Resolves with the exit code, 128 after a signal, once a program has ended and all that it printed has been read. What it left running may keep its output open
 * for ever: that is waited for a second at most.
 */
export function whenEnded(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      const soon = setTimeout(() => resolve(code ?? 128), 1000);
      child.once('close', () => {
        clearTimeout(soon);
        resolve(code ?? 128);
      });
    });
  });
}
