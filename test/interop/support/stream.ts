// A steady stream of numbered UDP datagrams, and what became of each.
import { eventually, type Host } from './world.ts';

const receiver = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
s.bind((sys.argv[1], int(sys.argv[2])))
total = int(sys.argv[3])
s.settimeout(float(sys.argv[4]))
print('listening', flush=True)
seen = bytearray(total)
count = twice = disorder = 0
last = -1
b = bytearray(64)
try:
    while count < total:
        s.recv_into(b)
        n = struct.unpack_from('!I', b)[0]
        if seen[n]:
            twice += 1
            continue
        seen[n] = 1
        count += 1
        if n < last: disorder += 1
        else: last = n
except (TimeoutError, KeyboardInterrupt):
    pass
missing = [i for i in range(last + 1) if not seen[i]] if count < total else []
print('received', count, 'twice', twice, 'disorder', disorder, 'missing', ' '.join(map(str, missing[:5] + missing[-5:])), flush=True)
`;

const sender = `
import signal, socket, struct, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], int(sys.argv[2])))
total, rate = int(sys.argv[3]), int(sys.argv[4])
start = time.monotonic()
n = 0
pad = b'x' * 18
isStopped = []
signal.signal(signal.SIGINT, lambda *_: isStopped.append(1))
while n < total and not isStopped:
    due = min(total, int((time.monotonic() - start) * rate) + 1)
    while n < due:
        try: s.send(struct.pack('!I', n) + pad)
        except ConnectionRefusedError: continue
        n += 1
    time.sleep(0.001)
print('sent', n, 'in', round(time.monotonic() - start, 2), flush=True)
`;

/** What became of a stream. */
export interface StreamResult {
  sent: number;
  received: number;
  lost: number;
  twice: number;
  disorder: number;
  text: string;
}

/** What is under way when a stream is stopped has this long to come. */
const LATE_MS = 1000;

let nextPort = 30_000;

/** Starts a stream of `total` datagrams, `rate` a second; it may be stopped before. */
export async function stream(from: Host, to: Host, address: string, total: number, rate = 10_000) {
  const port = String(++nextPort);
  const taking = to.start(['python3', '-c', receiver, address, port, String(total), '15']);
  await eventually('listening', () => taking.output().includes('listening'));
  const sending = from.start(['python3', '-c', sender, address, port, String(total), String(rate)]);
  /** Waits until all is sent and what can come has come. */
  const result = async (): Promise<StreamResult> => {
    await sending.ended;
    const sent = Number(/sent (\d+)/.exec(sending.output())?.[1]);
    await taking.ended;
    const text = `${sending.output().trim()}; ${taking.output().trim()}`;
    const number = (name: string): number => Number(new RegExp(`${name} (\\d+)`).exec(text)?.[1]);
    const received = number('received');
    return { sent, received, lost: sent - received, twice: number('twice'), disorder: number('disorder'), text };
  };
  return {
    get isRunning(): boolean {
      return !sending.output().includes('sent');
    },
    result,
    /** Sends no more; what became of all that was sent. */
    async stop(): Promise<StreamResult> {
      await sending.stop('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, LATE_MS));
      await taking.stop('SIGINT');
      return result();
    },
  };
}
