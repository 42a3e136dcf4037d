import { readFileSync } from "node:fs";
import type pg from "pg";
import { ArbError } from "../errors.js";

const KNOWN = new Set(["sslmode", "sslrootcert", "application_name", "channel_binding", "host"]);
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;
const HINT = "write postgresql://USER:PASSWORD@HOST:PORT/NAME";

/** A database by its URL: settings of a client, and what may be printed. */
export interface Target {
  client: pg.ClientConfig;
  /** Without password and parameters. */
  shown: string;
}

/**
 * Reads a PostgreSQL URL. A server on another machine is spoken to through TLS with its certificate checked, unless the URL says
 * otherwise: `sslmode=disable`, `sslmode=no-verify`, `sslrootcert=FILE`. Raises ArbError "config"; no message repeats the URL, which
 * may hold a password.
 */
export function parseDatabaseUrl(text: string): Target {
  const bad = (what: string, hint = HINT): ArbError =>
    new ArbError("config", `the database's URL ${what}`, { where: "database.url", hint });
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) throw bad("is none of PostgreSQL");
  const url = new URL(text);
  const parameters = url.searchParams;
  for (const key of parameters.keys())
    if (!KNOWN.has(key)) throw bad(`has the unknown parameter ${key}`, `known are ${[...KNOWN].join(", ")}`);
  const part = (value: string): string => {
    try {
      return decodeURIComponent(value);
    } catch {
      throw bad("has a % that is no escape", "write %25 for a percent sign");
    }
  };
  const socket = parameters.get("host");
  const host = socket ?? url.hostname.replace(/^\[|\]$/g, "");
  const database = part(url.pathname.slice(1));
  const user = part(url.username);
  if (database === "" || host === "" || user === "")
    throw bad(`names no ${database === "" ? "database" : host === "" ? "host" : "user"}`);
  const local = host.startsWith("/") || LOOPBACK.test(host);
  const port = url.port === "" ? 5432 : Number(url.port);
  const name = parameters.get("application_name");
  const client: pg.ClientConfig = {
    host,
    port,
    user,
    database,
    ssl: tls(parameters.get("sslmode") ?? (local ? "disable" : "verify-full"), parameters.get("sslrootcert"), bad),
    ...(url.password === "" ? {} : { password: part(url.password) }),
    ...(name === null ? {} : { application_name: name }),
  };
  return { client, shown: `postgresql://${user}@${host}:${port}/${database}` };
}

function tls(mode: string, authority: string | null, bad: (what: string, hint?: string) => ArbError): pg.ClientConfig["ssl"] {
  if (mode === "disable") return false;
  if (mode === "no-verify") return { rejectUnauthorized: false };
  if (!["prefer", "require", "verify-ca", "verify-full"].includes(mode))
    throw bad("has an unknown sslmode", "write verify-full, no-verify or disable");
  if (authority === null) return { rejectUnauthorized: true };
  try {
    return { rejectUnauthorized: true, ca: readFileSync(authority, "utf8") };
  } catch (cause) {
    throw new ArbError("config", "the authority of the database's certificate cannot be read", { where: authority, cause });
  }
}
