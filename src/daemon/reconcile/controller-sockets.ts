// Which Unix domain sockets may be a bridge's controllers. Who may write to the database need not be who may make files or talk to any
// daemon of the machine, so only sockets in the run directory are: those of the bridge's name to listen on, any to connect to.

/** What is wrong with a controller's target, as the log tells it; undefined: nothing. */
export function socketFault(bridge: string, target: string, runDirectory: string): string | undefined {
  const isPassive = target.startsWith('punix:');
  if (!isPassive && !target.startsWith('unix:')) return undefined;
  const allowed = isPassive ? `punix:${runDirectory}/${bridge}.` : `unix:${runDirectory}/`;
  if (target.startsWith(allowed) && !target.includes('../')) return undefined;
  const always = `or connect to "unix:${runDirectory}/${bridge}.mgmt" (which is always available without special configuration).`;
  return isPassive
    ? `bridge ${bridge}: Not adding Unix domain socket controller "${target}" due to possibility of overwriting local files. Instead, specify path in permitted format "${allowed}*" ${always}`
    : `bridge ${bridge}: Not connecting to socket controller "${target}" due to possibility for remote exploit.  Instead, specify socket in permitted directory "${allowed}" ${always}`;
}
