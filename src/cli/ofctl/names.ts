// Names of ports for flow text. The switch is asked only when a text holds a name, or names are to be printed.
import type { PortNames } from '../../flow/field-text.ts';
import type { PortDesc } from '../../openflow/message.ts';
import type { Session } from './session.ts';

/** All ports of a switch. */
export async function fetchPorts(session: Session): Promise<PortDesc[]> {
  if (session.version >= 4) return portDescs(session);
  const [reply] = await session.ask({ kind: 'featuresRequest' });
  const ports = reply?.message.kind === 'featuresReply' ? (reply.message.ports ?? []) : [];
  return ports;
}

async function portDescs(session: Session): Promise<PortDesc[]> {
  const parts = await session.ask({ kind: 'portDescRequest', port: 0xffff });
  return parts.flatMap(({ message }) => (message.kind === 'portDescReply' ? message.ports : []));
}

/** Lookups over a list of ports. */
export function namesOf(ports: readonly PortDesc[]): Required<PortNames> {
  const byName = new Map(ports.map((port) => [port.name, port.port]));
  const byNumber = new Map(ports.map((port) => [port.port, port.name]));
  return { number: (name) => byName.get(name), name: (port) => byNumber.get(port) };
}

/** Runs `parse` without names, and again with those of the switch when it asked for one that nobody knew. */
export async function withNames<T>(open: () => Promise<Session>, accept: boolean, parse: (names: PortNames) => T): Promise<T> {
  let asked = false;
  const probe: PortNames = {
    number: () => {
      asked = true;
      return undefined;
    },
  };
  try {
    const value = parse(probe);
    if (!asked || !accept) return value;
  } catch (error) {
    if (!asked || !accept) throw error;
  }
  const session = await open();
  try {
    return parse({ number: namesOf(await fetchPorts(session)).number });
  } finally {
    session.close();
  }
}
