/** Whether `--syslog-method` may be that. */
export const isSyslogMethod = (method: string): boolean => /^(libc|null|unix:.*|udp:.*)$/s.test(method);
