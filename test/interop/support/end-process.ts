// Ends a daemon and waits for it: one that is still ending writes into the folder that is being removed.
import { readFileSync } from 'node:fs';

const PATIENCE_MS = 5000;
const STEP_MS = 10;
const never = new Int32Array(new SharedArrayBuffer(4));

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.startsWith('Z');
  } catch {
    return false;
  }
}

/** Sends SIGTERM and gives the process time to end; what does not end in it is killed. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
    for (let waited = 0; isRunning(pid); waited += STEP_MS) {
      if (waited >= PATIENCE_MS) process.kill(pid, 'SIGKILL');
      Atomics.wait(never, 0, 0, STEP_MS);
    }
  } catch {
    // It has ended by itself.
  }
}
