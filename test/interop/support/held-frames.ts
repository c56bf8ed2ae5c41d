// Sockets that see a device's frames and hold on to them: what they were given shares its memory with the frame that went on, until they are
// asked what they saw.
import { eventually, type Host, type Running } from './world.ts';

const holder = `
import signal, socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind((sys.argv[1], 3))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 25); s.setsockopt(263, 8, 1); s.setblocking(False)
def end(*_):
    try:
        while True:
            frame, more, _, source = s.recvmsg(70000, 64)
            if source[2] == 4: continue
            status, _, _, _, _, tci, tpid = struct.unpack('=IIIHHHH', more[0][2])
            if status & 0x10: frame = frame[:12] + struct.pack('!HH', tpid if status & 0x40 else 0x8100, tci) + frame[12:]
            print(frame.hex())
    except BlockingIOError: pass
    print('end', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('listening', flush=True)
while True: signal.pause()
`;
const sender = `
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0))
for line in sys.stdin: s.send(bytes.fromhex(line.strip())); time.sleep(0.002)
`;

/** A socket at a device; `frames` ends it and gives, as hex digits, what came in there. */
export interface Holder {
  frames(): Promise<string[]>;
}

/** Opens one at each of the places. */
export async function holdFrames(places: readonly [Host, string][]): Promise<Holder[]> {
  const sockets: Running[] = places.map(([host, device]) => host.start(['python3', '-c', holder, device]));
  await eventually('listening', () => sockets.every((one) => one.output().includes('listening')));
  return sockets.map((one) => ({
    async frames() {
      await one.stop('SIGTERM');
      const lines = one.output().split('\n');
      if (!lines.includes('end')) throw new Error(one.output().slice(0, 2000));
      return lines.filter((line) => /^[0-9a-f]{28,}$/.test(line));
    },
  }));
}

/** Sends frames, given as hex digits, at most 500 a second. */
export const sendFrames = (from: Host, device: string, frames: readonly string[]): string =>
  from.ok(['python3', '-c', sender, device], { input: `${frames.join('\n')}\n` });
