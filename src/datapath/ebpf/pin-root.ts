// Where maps and links are pinned, so that they outlive the daemon: a folder of its own in a bpffs.
//
// The bpffs has to outlive the daemon too. Below `ip netns exec` the daemon has a view of mounts of its own, with a fresh /sys, that ends
// with it; so where /sys/fs/bpf is no bpffs, that of process 1 is used (and mounted there if need be, once, as systemd does it).
//
// The folder is named after the network namespace (by the cookie that no other will ever have) and the run directory: an instance finds
// what its predecessor left, and no other does.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { logger } from '../../base/log.ts';
import { closeObject, openPinned } from '../../bpf/kernel.ts';
import { linkDevice } from '../../bpf/objects.ts';
import { check, closeFd, libc } from '../../host/ffi.ts';

const log = logger('dpif_ebpf');
const BPF_FS_MAGIC = 0xcafe4a11;
const BPFFS = '/sys/fs/bpf';
const BPFFS_OF_INIT = '/proc/1/root/sys/fs/bpf';
const SO_NETNS_COOKIE = 71;
/** Mounts unless somebody else was quicker. */
const MOUNT = ['flock', '/sys/fs', 'sh', '-c', `mountpoint -q ${BPFFS} || mount -t bpf -o mode=0700 bpf ${BPFFS}`];

function isBpffs(path: string): boolean {
  try {
    return statfsSync(path).type >>> 0 === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

function linkText(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function bpffs(): string | undefined {
  if (isBpffs(BPFFS)) return BPFFS;
  const mount = (words: readonly string[]): void => {
    const done = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8' });
    if (done.status !== 0) log.dbg(() => `no bpffs by ${words.join(' ')}: ${done.stderr || done.error?.message}`);
  };
  const own = linkText('/proc/self/ns/mnt');
  const isOfInit = own === '' || own === linkText('/proc/1/ns/mnt');
  if (!isOfInit) {
    if (!isBpffs(BPFFS_OF_INIT)) mount(['nsenter', '--mount=/proc/1/ns/mnt', ...MOUNT]);
    if (isBpffs(BPFFS_OF_INIT)) return BPFFS_OF_INIT;
  }
  mount(MOUNT);
  if (!isBpffs(BPFFS)) return undefined;
  if (!isOfInit)
    log.info(`programs end with this daemon's mount namespace, in which ${BPFFS} has just been mounted: that of process 1 is out of reach`);
  return BPFFS;
}

/** What no other network namespace of this machine has, or had, since it was started. */
function networkCookie(): string {
  const fd = check('socket', libc().socket(2, 2 | 0x80000, 0));
  try {
    const value = new Uint8Array(8);
    check('SO_NETNS_COOKIE', libc().getsockopt(fd, 1, SO_NETNS_COOKIE, value, Uint8Array.of(8, 0, 0, 0)));
    return new DataView(value.buffer).getBigUint64(0, true).toString(16);
  } finally {
    closeFd(fd);
  }
}

function startTime(pid: string | number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Who uses a folder, as text: pid namespace, pid, and when that process started. */
export const ownerText = (): string => `${linkText('/proc/self/ns/pid')} ${process.pid} ${startTime(process.pid)}`;

function mayBeAlive(owner: string): boolean {
  const [namespace, pid = '', started] = owner.split(' ');
  return namespace === linkText('/proc/self/ns/pid') && startTime(pid) === started && started !== '';
}

/** Whether some of these places may still be at devices. Of a filter alone nobody can tell, of one beside links the links tell. */
function areServing(paths: readonly string[]): boolean {
  let filters = 0;
  let links = 0;
  for (const path of paths) {
    const fd = openPinned(path);
    if (fd === undefined) {
      if (linkText(path) !== '') filters++;
      continue;
    }
    const ifindex = linkDevice(fd);
    closeObject(fd);
    if (ifindex === undefined) continue;
    if (ifindex !== 0) return true;
    links++;
  }
  return filters > 0 && links === 0;
}

/** Links and maps of an instance whose devices and daemon are no more serve nobody. */
function removeDeserted(root: string, ours: string): void {
  for (const name of readdirSync(root)) {
    if (!name.startsWith('weft-') || name === ours) continue;
    const dir = join(root, name);
    try {
      if (mayBeAlive(linkText(join(dir, 'owner')))) continue;
      const links = readdirSync(join(dir, 'links'));
      // What stands at a device is left alone, and so is what another namespace's filters may be.
      if (areServing(links.map((link) => join(dir, 'links', link)))) continue;
      rmSync(dir, { recursive: true, force: true });
      log.info(`removed ${dir}, which nobody uses any more`);
    } catch {
      // Its owner is busy with it.
    }
  }
}

/** The folder of this instance, which need not exist yet; undefined where there can be no bpffs. */
export function pinFolder(runDirectory: string): string | undefined {
  const root = bpffs();
  if (root === undefined) return undefined;
  let place = runDirectory;
  try {
    place = realpathSync(runDirectory);
  } catch {
    // Not there yet.
  }
  const name = `weft-${networkCookie()}-${createHash('sha256').update(place).digest('hex').slice(0, 12)}`;
  removeDeserted(root, name);
  return join(root, name);
}
