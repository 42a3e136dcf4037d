import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { expect } from "chai";
import { backupDatabase } from "../../src/database/backup.js";
import { type Database, openDatabase } from "../../src/database/open.js";
import { rejection } from "../helpers/rejection.js";

const OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const CLEAR_TEXT = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

/** Another user's program on the port of the server that died: it asks for the password in clear text, then lets everybody in. */
async function impostorOn(port: number): Promise<{ heard(): string; visits(): number; close(): Promise<void> }> {
  const heard: Buffer[] = [];
  let visits = 0;
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      visits++;
      socket.write(visits % 2 === 1 ? CLEAR_TEXT : Buffer.concat([OK, READY]));
      socket.on("data", (chunk: Buffer) => {
        heard.push(chunk);
        socket.write(Buffer.concat([OK, READY]));
      });
    });
  });
  for (;;) {
    const listening = await new Promise<boolean>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(false) : reject(error)));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (listening) break;
  }
  expect((server.address() as AddressInfo).port).to.equal(port);
  return {
    heard: () => Buffer.concat(heard).toString("latin1"),
    visits: () => visits,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("an impostor on the port of the program's own server", () => {
  let folder: string;
  let db: Database;

  before(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), "arb impostor "));
    db = await openDatabase({ folder });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("learns no password and gets no session: from the pool, backups, sagas and messages to them", async () => {
    const { port } = db.server!;
    const url = db.secretUrl.reveal();
    const password = decodeURIComponent(new URL(url).password);
    // what was open before its death must not be used again
    const engine = db.plainPool({ application_name: "engine", max: 2 });
    const pool = db.plainPool({ application_name: "a library's", max: 2 });
    const own = { client: db.client, url: db.url };
    await db.close();
    const impostor = await impostorOn(port);
    try {
      const refused: Record<string, () => Promise<unknown>> = {
        "a connection of its own": async () => await db.client({}).connect(),
        "a library's pool": async () => await pool.query("select 1"),
        "a backup": async () => await backupDatabase(own, path.join(folder, "backup")),
        "a message to a saga": async () => {
          const client = await DBOSClient.create({ systemDatabaseUrl: db.url, systemDatabasePool: pool });
          try {
            await client.send("somebody", { choice: null }, "topic");
          } finally {
            await client.destroy();
          }
        },
        sagas: async () => {
          const silent = () => undefined;
          DBOS.setConfig({
            name: "impostor-test",
            systemDatabaseUrl: db.url,
            systemDatabasePool: engine,
            useListenNotify: false,
            logger: { info: silent, debug: silent, warn: silent, error: silent },
          });
          try {
            await DBOS.launch();
          } finally {
            await DBOS.shutdown();
          }
        },
      };
      for (const [name, attempt] of Object.entries(refused)) {
        const before = impostor.visits();
        const words = String((await rejection(attempt())).stack);
        expect(impostor.visits(), name).to.be.greaterThan(before);
        expect(words, name).to.not.include(password);
      }
      expect(impostor.heard()).to.equal("");
    } finally {
      await impostor.close();
      await Promise.all([engine.end(), pool.end()]);
    }
  });
});
