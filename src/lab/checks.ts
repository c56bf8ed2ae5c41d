// The checks of a step. Each is tried again until it holds or its time is over: a switch may need a moment to learn, a controller to connect.
import type { Check } from './lab-file.ts';
import { addressOf, type Machine } from './machine.ts';
import type { Place } from './sandbox.ts';

/** How a check came out; `detail` says what was seen, or why it does not hold. */
export interface Verdict {
  good: boolean;
  what: string;
  detail: string;
}

/** Who is there: hosts and machines by name. */
export interface Cast {
  place(name: string): Place;
  machine(name: string): Machine | undefined;
  /** The address under which a place is reached from another. */
  address(name: string): string;
}

/** Seconds until a check that does not hold is given up. */
const PATIENCE_S = 20;
const HTTP_SECONDS = 5;

/** What a check is about, before it is known how it comes out. */
export function describeCheck(check: Check, cast: Cast): string {
  if (check.what !== undefined) return check.what;
  if ('ping' in check) {
    const { from, to, answers } = check.ping;
    return `${from} ${answers ? 'reaches' : 'does not reach'} ${to} (ping)`;
  }
  if ('http' in check) {
    const { from, url, answers } = check.http;
    return `${from} ${answers ? 'gets' : 'does not get'} ${url}`;
  }
  if ('tcp' in check) return `${check.tcp.from} sends TCP to ${check.tcp.to} (${cast.address(check.tcp.to)})`;
  const { on, run, is, contains, lacks, matches } = check.output;
  if (is !== undefined) return `${on}: \`${run}\` says ${is}`;
  if (contains !== undefined) return `${on}: \`${run}\` says ${contains}`;
  if (matches !== undefined) return `${on}: \`${run}\` says something like ${matches}`;
  return lacks !== undefined ? `${on}: \`${run}\` says nothing of ${lacks}` : `${on}: \`${run}\` succeeds`;
}

/** Tries a check until it holds or its time is over. */
export async function perform(check: Check, cast: Cast): Promise<Verdict> {
  const what = describeCheck(check, cast);
  const end = Date.now() + (check.within ?? PATIENCE_S) * 1000;
  for (;;) {
    let seen: { good: boolean; detail: string };
    try {
      seen = await once(check, cast);
    } catch (error) {
      seen = { good: false, detail: error instanceof Error ? error.message : String(error) };
    }
    // Transfers are long and expectations of silence are waits in themselves: neither gets better by asking often.
    if (seen.good || Date.now() >= end) return { what, ...seen };
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function once(check: Check, cast: Cast): Promise<{ good: boolean; detail: string }> {
  if ('ping' in check) return ping(cast.place(check.ping.from), check.ping.to, check.ping.answers);
  if ('http' in check) return http(cast.place(check.http.from), check.http);
  if ('tcp' in check) return tcp(cast, check.tcp);
  const { on, run, is, contains, lacks, matches } = check.output;
  const done = await cast.place(on).run(run, 20_000);
  const text = done.stdout.trim();
  const said = text === '' ? 'it said nothing' : `it said: ${text}`;
  if (done.code !== 0) return { good: false, detail: `exit code ${done.code}: ${done.stderr.trim() || text}` };
  if (is !== undefined && text !== is) return { good: false, detail: said };
  if (contains !== undefined && !text.includes(contains)) return { good: false, detail: said };
  if (lacks !== undefined && text.includes(lacks)) return { good: false, detail: said };
  if (matches !== undefined && !new RegExp(matches, 'm').test(text)) return { good: false, detail: said };
  return { good: true, detail: '' };
}

async function ping(from: Place, to: string, answers: boolean): Promise<{ good: boolean; detail: string }> {
  // The `ping` of iputils and of busybox agree on these options and on the closing lines.
  const done = await from.run(
    `ping -c 3 ${answers ? '-i 0.3 ' : ''}-W 2 ${to}`.replace('-i 0.3 ', isBusybox(from) ? '' : '-i 0.3 '),
    15_000,
  );
  const count = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(done.stdout);
  const received = Number(count?.[2] ?? 0);
  const average = /= [\d.]+\/([\d.]+)\//.exec(done.stdout)?.[1];
  if (!answers)
    return received === 0 ? { good: true, detail: 'no answer, as it should be' } : { good: false, detail: `${received} answers came` };
  if (done.code === 0 && received === 3) return { good: true, detail: `3 of 3 answered${average === undefined ? '' : `, ${average} ms`}` };
  return { good: false, detail: count === null ? (done.stderr || done.stdout).trim() : `${received} of ${count[1]} answered` };
}

function isBusybox(place: Place): boolean {
  return 'kind' in place && place.kind === 'qemu';
}

interface HttpCheck {
  url: string;
  contains?: string | undefined;
  answers: boolean;
}

/** busybox's nc instead of its wget: that one looks names up even where there are none, and dies of it in a static binary. */
function request(url: string, seconds: number): string {
  const { hostname, port, pathname } = new URL(url);
  return `printf 'GET ${encodeURI(pathname)} HTTP/1.0\\r\\nHost: ${hostname}\\r\\n\\r\\n' | timeout ${seconds} busybox nc ${hostname} ${port || '80'}`;
}

async function http(from: Place, check: HttpCheck): Promise<{ good: boolean; detail: string }> {
  // An emulated machine on a busy computer is slow, which is no fault of the switch.
  const seconds = isBusybox(from) && check.answers ? 3 * HTTP_SECONDS : HTTP_SECONDS;
  const done = await from.run(request(check.url, seconds), (seconds + 10) * 1000);
  const [head = '', ...rest] = done.stdout.replaceAll('\r', '').split('\n\n');
  const status = head.split('\n')[0] ?? '';
  const body = rest.join('\n\n').trim();
  if (!status.startsWith('HTTP/')) {
    const said = (done.stderr || done.stdout).trim();
    const reason = said === '' || said === 'Terminated' ? `no answer within ${seconds} s` : said;
    return { good: !check.answers, detail: reason };
  }
  if (!check.answers) return { good: false, detail: `it answered: ${status} ${body.slice(0, 80)}` };
  if (!/^HTTP\/1\.[01] 200 /.test(status)) return { good: false, detail: status };
  if (check.contains !== undefined && !body.includes(check.contains))
    return { good: false, detail: `it answered something else: ${body.slice(0, 80)}` };
  return { good: true, detail: body.split('\n')[0]?.slice(0, 60) ?? '' };
}

interface TcpCheck {
  from: string;
  to: string;
  megabytes: number;
  atLeast?: number | undefined;
}

/** A file of zeros over HTTP: every byte is counted at the end it arrives, and busybox has both sides. Bytes flow from `from` to `to`. */
async function tcp(cast: Cast, check: TcpCheck): Promise<{ good: boolean; detail: string }> {
  const sender = cast.place(check.from);
  const receiver = cast.place(check.to);
  // An emulated processor makes each byte dear.
  const megabytes = isBusybox(sender) || isBusybox(receiver) ? Math.max(1, Math.round(check.megabytes / 8)) : check.megabytes;
  const bytes = Math.round(megabytes * 1_000_000);
  const port = 5001;
  const served = await sender.run(
    `mkdir -p /run/lab-tcp && truncate -s ${bytes} /run/lab-tcp/zeros && { kill $(cat /run/lab-tcp.pid) 2>/dev/null; busybox httpd -f -p ${port} -h /run/lab-tcp >/dev/null 2>&1 & echo $! >/run/lab-tcp.pid; sleep 0.2; }`,
  );
  if (served.code !== 0) return { good: false, detail: `${check.from} could not serve: ${served.stderr.trim()}` };
  const begin = performance.now();
  const limit = 60;
  const done = await receiver.run(`${request(`http://${cast.address(check.from)}:${port}/zeros`, limit)} | wc -c`, (limit + 10) * 1000);
  const elapsed = (performance.now() - begin) / 1000;
  await sender.run('kill $(cat /run/lab-tcp.pid) 2>/dev/null; rm -rf /run/lab-tcp /run/lab-tcp.pid');
  // With the zeros come a few lines of header.
  const got = Number(done.stdout.trim());
  if (!(got >= bytes)) {
    const arrived = `${(got / 1e6).toFixed(1)} of ${megabytes} MB arrived in ${elapsed.toFixed(1)} s`;
    return { good: false, detail: `${arrived}${done.stderr.trim() === '' ? '' : `: ${done.stderr.trim()}`}` };
  }
  const megabits = (bytes * 8) / 1e6 / elapsed;
  const rate = megabits >= 1000 ? `${(megabits / 1000).toFixed(2)} Gbit/s` : `${megabits.toFixed(0)} Mbit/s`;
  if (check.atLeast !== undefined && megabits < check.atLeast) return { good: false, detail: `${rate}, less than ${check.atLeast} Mbit/s` };
  return { good: true, detail: `${megabytes} MB, ${rate}` };
}

/** The address of a machine or host for `Cast.address`. */
export function machineAddress(machine: Machine): string {
  return addressOf(machine.spec);
}
