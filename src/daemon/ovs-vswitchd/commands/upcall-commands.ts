// Control commands about misses and the flows made for them: upcall/*. Text as in the running reference.
import type { Datapath } from '../../../datapath/datapath.ts';
import type { CommandParts } from './parts.ts';

/** The reference's flow limit before it has seen how quickly it gets round. */
const FIRST_LIMIT = 10_000;
/** The number that the reference's first revalidator thread has in a fresh daemon with one datapath. */
const THREAD = 3;

/** Registers them. */
export function registerUpcallCommands({ unixctl, host }: CommandParts): void {
  let hasUfid = true;
  const show = (datapath: Datapath): string[] => {
    const flows = datapath.flowCount();
    const seen = host.upcallStats?.(datapath) ?? { average: flows, most: flows, passMs: 1 };
    const limit = host.flowLimitSet ?? Math.min(host.flowLimit ?? FIRST_LIMIT, Math.max(FIRST_LIMIT, Math.ceil(flows / 1000) * 1000));
    return [
      `${datapath.type}@${datapath.name}:`,
      `  flows         : (current ${flows}) (avg ${seen.average}) (max ${seen.most}) (limit ${limit})`,
      `  dump duration : ${Math.max(1, Math.round(seen.passMs))}ms`,
      `  ufid enabled : ${hasUfid}`,
      '',
      `  ${THREAD}: (keys ${flows})`,
    ];
  };
  unixctl.register('upcall/show', '', 0, 0, () => [...host.datapaths()].flatMap(show).join('\n'));
  unixctl.register('upcall/set-flow-limit', 'flow-limit-number', 1, 1, ([text = '']) => {
    // As atoi(3) of Debian's libc reads it.
    const number = Number.parseInt(text, 10) || 0;
    const value = Number.isSafeInteger(number) ? number >>> 0 : number < 0 ? 0 : 0xffffffff;
    host.setFlowLimit?.(value);
    return `set flow_limit to ${value}`;
  });
  unixctl.register('upcall/disable-megaflows', '', 0, 0, () => {
    host.setMegaflows?.(false);
    return 'megaflows disabled';
  });
  unixctl.register('upcall/enable-megaflows', '', 0, 0, () => {
    host.setMegaflows?.(true);
    return 'megaflows enabled';
  });
  unixctl.register('upcall/disable-ufid', '', 0, 0, () => {
    hasUfid = false;
    return 'Datapath dumping tersely using UFID disabled';
  });
  unixctl.register('upcall/enable-ufid', '', 0, 0, () => {
    hasUfid = true;
    return 'Datapath dumping tersely using UFID enabled for supported datapaths';
  });
}
