// Times as the OVSDB tools print them.
const two = (n: number, size = 2): string => String(n).padStart(size, '0');

/** Local time as the reference prints it, with milliseconds. */
export function formatLogTime(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${two(d.getMilliseconds(), 3)}`;
}
