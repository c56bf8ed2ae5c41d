// Traffic between the hosts of a world, and what came of it.
import { createHash } from 'node:crypto';
import { eventually, type Host, type World } from './world.ts';

/** Whether two of at most three pings of `size` bytes came back; "don't fragment" as ping wants it. */
export function pings(from: Host, to: string, size = 56): boolean {
  const done = from.run(`ping -c 3 -i 0.2 -W 1 -s ${size} ${to}`);
  return Number(/ (\d) received/.exec(done.stdout)?.[1] ?? 0) >= 2;
}

const receiver = `
import hashlib, socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(1); print('listening', flush=True)
c, _ = s.accept(); h = hashlib.sha256()
while True:
    b = c.recv(65536)
    if not b: break
    h.update(b)
print(h.hexdigest(), flush=True)
`;
const sender = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5); s.settimeout(15)
block = bytes(range(256)) * 256
for _ in range(int(sys.argv[3])): s.sendall(block)
s.close()
`;

let lastPort = 20_000;

/** Sends `blocks` of 64 KB over TCP; throws unless every byte arrives. `own` is what the receiver calls itself. Gives the rate in Mbit/s. */
export async function tcp(from: Host, to: Host, address: string, blocks = 64, own = address): Promise<number> {
  const port = ++lastPort;
  const taking = to.start(['python3', '-c', receiver, own, String(port)]);
  await eventually('listening', () => taking.output().includes('listening'));
  const began = performance.now();
  const said = await from.runAsync(['python3', '-c', sender, address, String(port), String(blocks)], { timeout: 30_000 });
  if (said.code !== 0) throw new Error(`TCP to ${address}: ${said.stderr}`);
  const hash = createHash('sha256');
  const block = Buffer.from(Array.from({ length: 65_536 }, (_, i) => i & 255));
  for (let i = 0; i < blocks; i++) hash.update(block);
  const digest = hash.digest('hex');
  await eventually('all bytes arrived', () => taking.output().includes(digest), 15_000);
  return (blocks * 65_536 * 8) / (performance.now() - began) / 1000;
}

/** A host with one cable into `host`, and an address. */
export function station(w: World, host: Host, name: string, port: string, ...addresses: string[]): Host {
  const made = w.host(name);
  w.wire(host, port, made, 'eth0');
  for (const address of addresses) made.ok(`ip addr add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`);
  return made;
}

/** A host with both daemons, Debian's or ours. */
export async function switchHost(w: World, name: string, tools: 'weft' | 'debian' = 'weft', args: string[] = []): Promise<Host> {
  const host = w.host(name);
  await host.startOvsdb(tools);
  await host.startVswitchd(tools, args);
  return host;
}

/** Faults that a healthy run must not log. */
export function faults(host: Host): string[] {
  return host
    .log('ovs-vswitchd')
    .split('\n')
    .filter((line) => /\|(WARN|ERR|EMER)\|/.test(line) && !line.includes('terminating with signal'));
}

/** Watches a device with tcpdump; `stop` gives what it printed. */
export async function watch(host: Host, device: string, filter: string): Promise<{ stop(): Promise<string> }> {
  const program = host.start(`tcpdump -l -n -v -e -i ${device} ${filter}`);
  await eventually('tcpdump listens', () => program.output().includes('listening on'));
  return {
    async stop() {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await program.stop('SIGINT');
      return program.output();
    },
  };
}
