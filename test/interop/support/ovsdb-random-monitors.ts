// Random requests of monitors on a random schema.
import type { OperationGenerator } from './ovsdb-random-operations.ts';
import type { Dice, RandomSchema } from './ovsdb-random-schema.ts';

export function monitorRequests(dice: Dice, schema: RandomSchema, generator: OperationGenerator, isConditional: boolean): string {
  const tables = schema.tables.filter(() => dice.chance(75));
  const members = tables.map((table) => {
    const names = table.columns.map(({ name }) => name);
    const cut = dice.below(names.length + 1);
    const parts = dice.chance(60) ? [names.filter(() => dice.chance(60))] : [names.slice(0, cut), names.slice(cut)];
    // Of several conditions for one table the reference takes the one that a hash order brings first.
    const where = isConditional && dice.chance(60) ? `"where":${generator.where(table)}` : '';
    const requests = parts.map((columns) => {
      const request = dice.chance(15) && parts.length === 1 ? [] : [`"columns":${JSON.stringify(columns)}`];
      if (dice.chance(30)) {
        const kinds = ['initial', 'insert', 'delete', 'modify'].filter(() => dice.chance(50));
        request.push(`"select":{${kinds.map((kind) => `"${kind}":${dice.chance(50)}`).join(',')}}`);
      }
      if (where !== '') request.push(where);
      return `{${request.join(',')}}`;
    });
    return `"${table.name}":${requests.length === 1 && dice.chance(50) ? requests[0] : `[${requests.join(',')}]`}`;
  });
  return `{${members.join(',')}}`;
}
