import { inspect } from "node:util";
import type { Pool } from "pg";

/** One secret of each kind, made up, that must turn up nowhere: not in an output, an error, a metric or a database row. */
export const canaryPassword = "CANARY-password-5f1e77";
export const canaryKey = "0xcafe11cafe22cafe33cafe44cafe55cafe66cafe77cafe88cafe99cafe00cafe";
export const canaryRelayKey = "0xfade11fade22fade33fade44fade55fade66fade77fade88fade99fade00fade";
export const canaryRpcKey = "CANARYrpckey0123456789abcdef";
export const canaryToken = "CANARY-bearer-token-31415926";
export const canaryDatabasePassword = "CANARY-database-password-2718";

const hex = (key: string): string => key.slice(2);
const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
const keyBytes = (key: string): Buffer => Buffer.from(hex(key), "hex");

/** Each canary in every form that a careless program would print it in. */
const FORMS: [string, string][] = [
  ...Object.entries({
    password: canaryPassword,
    "RPC key": canaryRpcKey,
    token: canaryToken,
    "database password": canaryDatabasePassword,
  }).flatMap(([name, text]): [string, string][] => [
    [name, text],
    [`${name} in base64`, base64(text)],
    [`${name} in hexadecimal`, Buffer.from(text).toString("hex")],
    [`${name} in a URL`, encodeURIComponent(text)],
  ]),
  ...Object.entries({ "private key": canaryKey, "relay key": canaryRelayKey }).flatMap(([name, key]): [string, string][] => [
    [name, hex(key)],
    [`${name} as a number`, BigInt(key).toString()],
    [`${name} in base64`, keyBytes(key).toString("base64").replace(/=+$/, "")],
    [`${name} as bytes`, [...keyBytes(key)].slice(0, 12).join(",")],
  ]),
];

/**
 * Fails when a value shows a canary in anything that could be printed of it: text as it is; of everything else inspect with hidden
 * fields, JSON, String, and of errors message, stack, own fields and causes. The failure names the kind of secret, not the text.
 */
export function expectNoCanary(value: unknown, where = "value"): void {
  const text = printed(value).toLowerCase().replaceAll(/,\s+/g, ",");
  for (const [kind, form] of FORMS) if (text.includes(form.toLowerCase())) throw new Error(`${where} shows the ${kind}`);
}

function printed(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  const texts = [inspect(value, { depth: 20, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null })];
  try {
    texts.push(String(value), JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v)) ?? "");
    if (typeof value === "object" && value !== null) {
      const fields = Object.getOwnPropertyNames(value).map((name) => (value as Record<string, unknown>)[name]);
      if (depth < 6) texts.push(...fields.filter((v) => v !== value).map((v) => printed(v, depth + 1)));
    }
  } catch {
    // a value without a string or JSON form cannot be printed in that form
  }
  return texts.join("\n");
}

/** The same for every row of every table of every schema that the database has, the system's apart. Returns how many rows it read. */
export async function expectNoCanaryInDatabase(pool: Pool): Promise<number> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
  );
  let count = 0;
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(`select t::text as row from ${name} t`);
    for (const { row } of rows) expectNoCanary(row, `table ${name}`);
    count += rows.length;
  }
  return count;
}
