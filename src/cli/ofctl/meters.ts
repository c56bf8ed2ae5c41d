// The meter commands of ovs-ofctl. Meters are of OpenFlow 1.3 and later.
import type { Message } from '../../openflow/message.ts';
import type { MeterCommand } from '../../openflow/meter.ts';
import { OFPM } from '../../openflow/meter.ts';
import { METER_PROTOCOLS } from '../../openflow/protocols.ts';
import { parseMeter } from '../../openflow/text/meter-text.ts';
import { openWithFormat } from './flow-send.ts';
import type { FlowOptions } from './flows.ts';
import { printAnswer, showsNames } from './session.ts';

/** add-meter, mod-meter, del-meters [METER] */
export async function meterModCommand(
  bridge: string,
  text: string | undefined,
  command: MeterCommand,
  options: FlowOptions,
): Promise<number> {
  const all: ReturnType<typeof parseMeter> = { kind: 'meterMod', command, config: { meter: OFPM.ALL, flags: 0, bands: [] } };
  const mod = text === undefined ? all : parseMeter(text, command);
  const session = await openWithFormat(bridge, METER_PROTOCOLS, options);
  try {
    session.connection.send(mod);
    await session.barrier();
  } finally {
    session.close();
  }
  return 0;
}

/** dump-meters and meter-stats [METER] */
export function meterRequest(
  bridge: string,
  text: string | undefined,
  kind: 'meterStatsRequest' | 'meterConfigRequest',
  options: FlowOptions,
): Promise<number> {
  const meter = text === undefined ? OFPM.ALL : parseMeter(text, 'request').config.meter;
  return ask(bridge, { kind, meter }, options);
}

/** meter-features */
export const meterFeatures = (bridge: string, options: FlowOptions): Promise<number> =>
  ask(bridge, { kind: 'meterFeaturesRequest' }, options);

async function ask(bridge: string, message: Message, options: FlowOptions): Promise<number> {
  const session = await openWithFormat(bridge, METER_PROTOCOLS, options);
  try {
    await printAnswer(session, message, showsNames(options));
  } finally {
    session.close();
  }
  return 0;
}
