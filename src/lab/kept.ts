// Labs that `--keep` left running, one small file each, so that `--enter` and `--down` find them in any later shell.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { endLab } from './sandbox.ts';

const folder = '/run/weft-labs';

const record = z.strictObject({
  name: z.string(),
  rootPid: z.number().int().positive(),
  /** Start time of that process in clock ticks: a pid alone may be another's by now. */
  started: z.string(),
  places: z.record(z.string(), z.number().int().positive()),
  environment: z.record(z.string(), z.record(z.string(), z.string())),
  consoles: z.record(z.string(), z.string()),
});
export type KeptLab = z.infer<typeof record>;

/** When a process started, in clock ticks since boot; undefined when there is none. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Notes a lab that stays. */
export function remember(lab: Omit<KeptLab, 'started'>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, `${lab.name}.json`), JSON.stringify({ ...lab, started: startTime(lab.rootPid) ?? '' }), { mode: 0o600 });
}

/** The kept labs that still live; notes of dead ones are removed. */
export function keptLabs(): KeptLab[] {
  const found: KeptLab[] = [];
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  } catch {
    return [];
  }
  for (const file of files) {
    const parsed = read(join(folder, file));
    if (parsed !== undefined && startTime(parsed.rootPid) === parsed.started) found.push(parsed);
    else rmSync(join(folder, file), { force: true });
  }
  return found;
}

/** Ends kept labs (all, or those of one name); returns the names of those that were there. */
export function removeKept(name?: string): string[] {
  const ended: string[] = [];
  for (const lab of keptLabs()) {
    if (name !== undefined && lab.name !== name) continue;
    endLab(lab.rootPid, Object.values(lab.places));
    rmSync(join(folder, `${lab.name}.json`), { force: true });
    ended.push(lab.name);
  }
  return ended;
}

function read(file: string): KeptLab | undefined {
  try {
    return record.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
