// Several servers of one database in one name, `METHOD1,METHOD2,...` (ovsdb(7), "Connection Methods").

/** The servers that a name stands for: a comma ends a name only where another begins. */
export const splitServers = (name: string): string[] => name.split(/,\s*(?=[a-z]+:)/);

/** The same in any order, so that many clients do not all go to the first. */
export function mixedServers(name: string): string[] {
  const left = splitServers(name);
  const mixed: string[] = [];
  while (left.length > 0) mixed.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  return mixed;
}
