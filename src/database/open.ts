import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { Client, Pool, types } from "pg";
import { Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { clientOf, DATABASE, ensureServer, type EmbeddedOptions, type Server, stopServer } from "./embedded.js";
import { databaseFault, folderFault, isLost } from "./faults.js";
import { USER } from "./initialise.js";
import { exclusively } from "./lock.js";
import { type Presence, takePresence } from "./presence.js";
import { ScramClient } from "./scram-client.js";
import { parseDatabaseUrl } from "./url.js";

/** Guarantees of an open database:
 * 1. It is PostgreSQL 15 or newer, a primary, and syncs what it commits.
 * 2. int8 is a bigint, numeric a string: no digit is lost.
 * 3. Every connection, statement and lock has a deadline; a lost connection is an error of its query, never of the process.
 * 4. Nothing here prints the password.
 */
export interface Database {
  /** Connections with the types and deadlines above. Its errors become words through `databaseFault` of ./faults.ts. */
  pool: pg.Pool;
  /** Where it is, without password. */
  url: string;
  /** The URL with its password. A connection that is made by it believes whoever listens there: use `client` and `plainPool`. */
  secretUrl: Secret;
  /** A connection of one's own, not yet open; as careful about the server as the pool's. */
  client(config: OwnConfig): Client;
  /** Connections with PostgreSQL's usual types and no deadlines, for a library; whoever asks for them ends them. */
  plainPool(config: OwnConfig & { max: number }): pg.Pool;
  /** The embedded server's process; null for a database of the user's. */
  server: { pid: number; port: number; data: string; started: boolean } | null;
  /**
   * Ends the connections. The last program that closes an embedded database stops its server; while others use it, it goes on.
   * A killed program leaves it running, and the next one adopts it.
   */
  close(): Promise<void>;
}

/** Settings of connections beside the pool's. */
export type OwnConfig = Pick<
  pg.ClientConfig,
  "application_name" | "lock_timeout" | "connectionTimeoutMillis" | "idle_in_transaction_session_timeout"
>;

export type DatabaseSettings = { url: string | Secret } | { folder: string };

export interface DatabaseOptions extends EmbeddedOptions {
  /** Shown in pg_stat_activity. */
  name?: string;
  /** Most connections at once; 10. */
  connections?: number;
  /** Deadline of a statement in ms; 30,000. */
  statementMs?: number;
  /** Refuses to share: while it is open nobody else opens the database, and nobody may have it open already. */
  alone?: boolean;
  /** Leaves an embedded server running at `close`. */
  leaveRunning?: boolean;
  /** What happens meanwhile: a lost connection, a restart. */
  onNotice?: (text: string) => void;
}

/** What connects to the server that belongs to the program. */
const OWN = ScramClient as unknown as typeof Client;
const CONNECT_MS = 10_000;
const LOCK_MS = 15_000;
const CLOSE_MS = 10_000;
const OLDEST = 150_000;

/**
 * Opens the database at a URL, or the embedded one of a folder, which is started or adopted. While it is open a dead embedded
 * server is started again on its port. Raises ArbError: "config" (version, folder, TLS), "secrets" (password), "network" (no answer),
 * "locked" (open elsewhere and one of both is `alone`).
 */
export async function openDatabase(settings: DatabaseSettings, options: DatabaseOptions = {}): Promise<Database> {
  return "url" in settings ? openUrl(settings.url, options) : openFolder(settings.folder, options);
}

async function openUrl(url: string | Secret, options: DatabaseOptions): Promise<Database> {
  const text = typeof url === "string" ? url : url.reveal();
  const { client, shown } = parseDatabaseUrl(text);
  const presence = await present(client, shown, options);
  const pool = makePool(client, options);
  presence.onLost(() => reconnect(presence, options, () => Promise.resolve()));
  const close = once(async () => {
    await presence.release();
    await endPool(pool, shown);
  });
  return { pool, url: shown, secretUrl: new Secret(text), ...connectors(() => client, options), server: null, close };
}

async function openFolder(given: string, options: DatabaseOptions): Promise<Database> {
  const folder = path.resolve(given);
  const startMs = options.startMs ?? 120_000;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw folderFault(error, folder);
  }
  const locked = <T>(work: () => Promise<T>): Promise<T> => exclusively(folder, startMs + CLOSE_MS, work);
  const ensure = async (port?: number): Promise<Server> => {
    try {
      return await ensureServer(folder, { ...options, ...(port === undefined ? {} : { port }) });
    } catch (error) {
      throw folderFault(error, folder);
    }
  };
  const end = performance.now() + startMs;
  const open = async (): Promise<{ server: Server; presence: Presence }> => {
    const server = await ensure();
    return { server, presence: await present(clientOf(server), shownOf(server), options, OWN) };
  };
  let opened = await locked(open).catch(retryable(end));
  // another program was just stopping it
  while (opened === null) {
    await sleep(100);
    opened = await locked(open).catch(retryable(end));
  }
  const { presence } = opened;
  let { server } = opened;
  const shown = shownOf(server);
  const pool = makePool(clientOf(server), options, OWN);
  presence.onLost(() =>
    reconnect(presence, options, async () => {
      server = await locked(() => ensure(server.port));
    }),
  );
  const close = once(async () => {
    await endPool(pool, shown);
    await locked(async () => {
      const last = options.leaveRunning !== true && (await presence.isLast());
      await presence.release();
      if (last) await stopServer(server);
    });
  });
  const secretUrl = new Secret(
    `postgresql://${USER}:${encodeURIComponent(server.password.reveal())}@127.0.0.1:${server.port}/${DATABASE}`,
  );
  return {
    pool,
    url: shown,
    secretUrl,
    ...connectors(() => clientOf(server), options, OWN),
    get server() {
      return { pid: server.pid, port: server.port, data: server.data, started: server.started };
    },
    close,
  };
}

const shownOf = (server: Server): string => `postgresql://${USER}@127.0.0.1:${server.port}/${DATABASE}`;

const retryable =
  (end: number) =>
  (error: unknown): null => {
    if (performance.now() < end && error instanceof ArbError && isLost(error.cause)) return null;
    throw error;
  };

/** The first connection: proves that the database fits, and shows others that it is in use. */
async function present(
  client: pg.ClientConfig,
  shown: string,
  options: DatabaseOptions,
  connects?: typeof Client,
): Promise<Presence> {
  const config = { ...client, ...deadlines(options), application_name: options.name ?? "arb" };
  try {
    return await takePresence(config, {
      shown,
      alone: options.alone === true,
      check: checkServer,
      ...(connects && { connects }),
    });
  } catch (error) {
    throw databaseFault(error, shown);
  }
}

async function checkServer(client: pg.Client, shown: string): Promise<void> {
  const { rows } = await client.query<{ version: string; number: string; fsync: string; standby: string }>(
    `select current_setting('server_version') as version, current_setting('server_version_num') as number,
            current_setting('fsync') as fsync, pg_is_in_recovery()::text as standby`,
  );
  const [row] = rows;
  if (!row) throw new ArbError("network", "the database does not say its version", { where: shown });
  const refuse = (what: string, hint: string): ArbError => new ArbError("config", `the database ${what}`, { where: shown, hint });
  if (Number(row.number) < OLDEST) throw refuse(`is PostgreSQL ${row.version}`, "15 or newer is needed");
  if (row.fsync !== "on") throw refuse("runs with fsync off: a power cut would lose signed transactions", "set fsync = on there");
  if (row.standby !== "false") throw refuse("is a standby, which cannot be written", "point database.url to the primary");
}

const deadlines = (options: DatabaseOptions): pg.ClientConfig => {
  const statement = options.statementMs ?? 30_000;
  return {
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: statement,
    // where the server itself is gone and no answer will come
    query_timeout: statement + 5_000,
    lock_timeout: Math.min(LOCK_MS, statement),
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
  };
};

function makePool(client: pg.ClientConfig, options: DatabaseOptions, connects?: typeof Client): pg.Pool {
  const pool = new Pool({
    ...client,
    ...(connects && { Client: connects }),
    ...deadlines(options),
    // a server where it is off by default would lose the last commits in a power cut
    options: "-c synchronous_commit=on",
    application_name: options.name ?? "arb",
    max: options.connections ?? 10,
    idleTimeoutMillis: 60_000,
    types: TYPES,
  });
  noteLosses(pool, options);
  return pool;
}

function noteLosses(pool: pg.Pool, options: DatabaseOptions): void {
  const note = (error: Error): void => options.onNotice?.(`a connection to the database was lost: ${error.message}`);
  pool.on("error", note);
  // a client that is in use and has no listener ends the process when its server dies
  pool.on("connect", (c) => void c.on("error", note));
}

function connectors(
  server: () => pg.ClientConfig,
  options: DatabaseOptions,
  connects: typeof Client = Client,
): Pick<Database, "client" | "plainPool"> {
  const usual = { connectionTimeoutMillis: CONNECT_MS, keepAlive: true };
  return {
    client: (config) => new connects({ ...server(), ...usual, ...config }),
    plainPool: (config) => {
      const pool = new Pool({ ...server(), Client: connects, options: "-c synchronous_commit=on", ...usual, ...config });
      noteLosses(pool, options);
      return pool;
    },
  };
}

const INT8 = 20;
const INT8_ARRAY = 1016;
const TEXT_ARRAY = 1009;

/** int8 as bigint; numeric (1700) is a string as it comes. */
const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") => {
    if (oid === INT8 && format !== "binary") return (text: string) => BigInt(text);
    if (oid === INT8_ARRAY && format !== "binary") {
      const strings = types.getTypeParser(TEXT_ARRAY as never, "text") as (text: string) => (string | null)[];
      return (text: string) => strings(text).map((s) => (s === null ? null : BigInt(s)));
    }
    return types.getTypeParser(oid, format);
  }) as pg.CustomTypesConfig["getTypeParser"],
};

/** Takes presence again after its connection was lost, until it is there or the database is closed. */
function reconnect(presence: Presence, options: DatabaseOptions, ensure: () => Promise<void>): void {
  options.onNotice?.("the connection to the database was lost; connecting again");
  const attempt = async (): Promise<void> => {
    for (let pause = 50; !presence.released(); pause = Math.min(pause * 2, 5_000)) {
      try {
        await ensure();
        if (presence.released() || (await presence.again())) return;
      } catch (error) {
        options.onNotice?.(`the database is away: ${error instanceof Error ? error.message : String(error)}`);
      }
      await sleep(pause, undefined, { ref: false });
    }
  };
  void attempt();
}

async function endPool(pool: pg.Pool, shown: string): Promise<void> {
  const ended = await Promise.race([pool.end().then(() => true), sleep(CLOSE_MS, false, { ref: false })]);
  if (!ended)
    throw new ArbError("internal", "connections of the database were still in use when it was closed", {
      where: shown,
      hint: "this is a fault of the program; what was committed is safe",
    });
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => (done ??= work());
}
