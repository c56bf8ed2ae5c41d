// What a client may do that has a role: ovsdb-server(1) and the tables RBAC_Role and RBAC_Permission, as OVN's databases have them.
//
// A role names, for each table, a permission. `insert_delete` lets rows be inserted and deleted; `update` lists the columns that may be changed.
// All of it only in rows for which the client is authorized: whose columns that `authorization` lists, as `column` of one string or `column:key`
// of a map, hold the name in its certificate. An empty string there is for everybody. Without a role, or in a database without roles, everything
// is allowed; a client whom nobody vouches for may with a role only read.
import type { Database, Row, Table } from './database.ts';
import type { Datum } from './datum.ts';
import { OvsdbError } from './error.ts';
import type { ColumnSchema } from './schema.ts';

export interface Client {
  /** '' for none, who may do all. */
  role: string;
  /** The name in its certificate; undefined when nobody vouches for it. */
  id: string | undefined;
}

interface Permission {
  readonly authorization: readonly string[];
  readonly insertDelete: boolean;
  readonly update: readonly string[];
}

function field(row: Row, name: string): Datum | undefined {
  const column = row.table.schema.columns.get(name);
  return column === undefined ? undefined : row.fields[column.index];
}

/** Splits `column:key`. */
function splitName(name: string): { column: string; key: string | undefined } {
  const colon = name.indexOf(':');
  return colon < 0 ? { column: name, key: undefined } : { column: name.slice(0, colon), key: name.slice(colon + 1) };
}

/** The rules of one client in one database. */
export class Rbac {
  readonly #database: Database;
  readonly #client: Client;
  readonly #roles: Table | undefined;

  constructor(database: Database, client: Client) {
    this.#database = database;
    this.#client = client;
    this.#roles = client.role === '' ? undefined : database.tables.get('RBAC_Role');
  }

  /** What the role says of the table; undefined when it says nothing. */
  #permission(table: Table): Permission | undefined {
    if (this.#client.id === undefined) return undefined;
    for (const role of this.#roles?.rows.values() ?? []) {
      if (field(role, 'name')?.keys[0] !== this.#client.role) continue;
      const permissions = field(role, 'permissions');
      const at = permissions?.keys.indexOf(table.schema.name) ?? -1;
      const row = at < 0 ? undefined : this.#database.tables.get('RBAC_Permission')?.rows.get(String(permissions?.values?.[at]));
      if (row === undefined) return undefined;
      return {
        authorization: (field(row, 'authorization')?.keys ?? []).map(String),
        insertDelete: field(row, 'insert_delete')?.keys[0] === true,
        update: (field(row, 'update')?.keys ?? []).map(String),
      };
    }
    return undefined;
  }

  #isAuthorized(permission: Permission, table: Table, fields: readonly Datum[]): boolean {
    const { id } = this.#client;
    return permission.authorization.some((name) => {
      if (name === '') return true;
      const { column, key } = splitName(name);
      const columnSchema = table.schema.columns.get(column);
      const datum = columnSchema === undefined ? undefined : fields[columnSchema.index];
      if (columnSchema === undefined || datum === undefined) return false;
      if (key === undefined) return columnSchema.type.max === 1 && datum.values === undefined && datum.keys[0] === id;
      const at = datum.keys.indexOf(key);
      return at >= 0 && datum.values?.[at] === id;
    });
  }

  #refuse(what: string, table: Table): never {
    const { id = '(null)', role } = this.#client;
    throw new OvsdbError('permission error', `RBAC rules for client "${id}" role "${role}" prohibit ${what} table "${table.schema.name}".`);
  }

  /** Throws unless a row with these fields may be inserted. */
  checkInsert(table: Table, fields: readonly Datum[]): void {
    if (this.#roles === undefined) return;
    const permission = this.#permission(table);
    if (permission?.insertDelete !== true || !this.#isAuthorized(permission, table, fields)) this.#refuse('row insertion into', table);
  }

  /** Throws unless all the rows may be deleted. */
  checkDelete(table: Table, rows: readonly Row[]): void {
    if (this.#roles === undefined) return;
    const permission = this.#permission(table);
    if (permission?.insertDelete !== true || !rows.every((row) => this.#isAuthorized(permission, table, row.fields))) {
      this.#refuse('row deletion from', table);
    }
  }

  /** Throws unless the columns of all the rows may be changed; `what` says how. */
  checkChange(what: 'modification of' | 'mutate operation on', table: Table, rows: readonly Row[], columns: readonly ColumnSchema[]): void {
    if (this.#roles === undefined) return;
    const permission = this.#permission(table);
    if (
      permission === undefined ||
      (rows.length > 0 && !columns.every((column) => permission.update.includes(column.name))) ||
      !rows.every((row) => this.#isAuthorized(permission, table, row.fields))
    ) {
      this.#refuse(what, table);
    }
  }
}
