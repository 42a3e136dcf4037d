import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { Client } from "pg";
import { ArbError } from "../errors.js";

/** Key of the advisory lock of each database that its users share. */
const KEY = 4_702_114;
/** How long a program that stops, or a restore that is about to end, is waited for. */
const WAIT_MS = 5_000;
const WAIT_ALONE_MS = 1_000;
const POLL_MS = 50;
/** How long a connection may take to disappear after its client has left. */
const LEAVING_MS = 1_000;
const OTHERS =
  "select count(*)::int as others from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";

/** A connection that stays as long as the database is open: others see by its lock that somebody uses it. */
export interface Presence {
  /** Calls back once per loss, never after `release`. */
  onLost(listener: () => void): void;
  /** Takes it again on a new connection. False: it was released meanwhile. */
  again(): Promise<boolean>;
  /** Whether nobody but we is connected to the server; from then on nobody can become present. */
  isLast(): Promise<boolean>;
  release(): Promise<void>;
  released(): boolean;
}

export interface PresenceTerms {
  shown: string;
  /** Takes the lock for us alone. */
  alone: boolean;
  /** The kind of client that connects; default: pg's own. */
  connects?: typeof Client;
  /** Refuses a server that does not fit, by throwing. */
  check: (client: pg.Client, shown: string) => Promise<void>;
}

/** Raises ArbError "locked" where another program is present and one of both wants to be alone; errors of pg as they are. */
export async function takePresence(config: pg.ClientConfig, terms: PresenceTerms): Promise<Presence> {
  let client: pg.Client | null = null;
  let listener: (() => void) | null = null;
  let over = false;

  async function connect(): Promise<boolean> {
    const fresh = new (terms.connects ?? Client)(config);
    let gone = false;
    const lost = (): void => {
      if (gone) return;
      gone = true;
      if (client !== fresh || over) return;
      client = null;
      listener?.();
    };
    fresh.on("error", lost);
    fresh.on("end", lost);
    try {
      await fresh.connect();
      await terms.check(fresh, terms.shown);
      await lock(fresh, terms);
    } catch (error) {
      await fresh.end().catch(() => undefined);
      throw error;
    }
    if (gone) throw new Error("Connection terminated");
    if (over) {
      await fresh.end();
      return false;
    }
    client = fresh;
    return true;
  }

  await connect();
  return {
    onLost: (call) => (listener = call),
    again: connect,
    async isLast() {
      if (client === null) return false;
      if (!terms.alone) {
        // both at once would refuse each other, so that the shared lock goes first
        await client.query("select pg_advisory_unlock_shared($1)", [KEY]);
        if (!(await tryLock(client, true))) return false;
      }
      // our own pool's connections are being taken down by the server
      const end = performance.now() + LEAVING_MS;
      for (;;) {
        const { rows } = await client.query<{ others: number }>(OTHERS);
        if (rows[0]?.others === 0) return true;
        if (performance.now() > end) return false;
        await sleep(10);
      }
    },
    async release() {
      over = true;
      await client?.end().catch(() => undefined);
    },
    released: () => over,
  };
}

async function lock(client: pg.Client, terms: PresenceTerms): Promise<void> {
  const end = performance.now() + (terms.alone ? WAIT_ALONE_MS : WAIT_MS);
  while (!(await tryLock(client, terms.alone))) {
    if (performance.now() > end)
      throw new ArbError("locked", terms.alone ? "another program has the database open" : "the database is being restored", {
        where: terms.shown,
        hint: terms.alone ? "stop the programs that use it first" : "wait for the end of the restore",
      });
    await sleep(POLL_MS);
  }
}

async function tryLock(client: pg.Client, alone: boolean): Promise<boolean> {
  const call = alone ? "pg_try_advisory_lock" : "pg_try_advisory_lock_shared";
  const { rows } = await client.query<{ taken: boolean }>(`select ${call}($1) as taken`, [KEY]);
  return rows[0]?.taken === true;
}
