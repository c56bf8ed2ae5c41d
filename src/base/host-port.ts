// `HOST:PORT` as an option or address has it.

/** What the reference says of a text that is not `HOST:PORT`; undefined when it is. */
export function hostPortFault(text: string): string | undefined {
  const [, host, port] = /^(\[[^\]]*\]|[^:[\]]*)(?::([^:]*))?$/.exec(text) ?? [];
  if (host === undefined || host === '' || port === undefined || port === '') return `${text}: port must be specified`;
  return /^\d+$/.test(port) && Number(port) <= 65535 ? undefined : `${text}: bad port number "${port}"`;
}
