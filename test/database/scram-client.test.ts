import { createServer, type Server } from "node:net";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { type Client, Pool } from "pg";
import { ScramClient } from "../../src/database/scram-client.js";
import { freshDatabaseUrl } from "../helpers/database.js";
import { rejection } from "../helpers/rejection.js";

const PASSWORD = "never to be seen";
const OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const CLEAR_TEXT = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const MD5 = Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]);

/** A program of another user that listens where the server was. */
async function impostor(demand: Buffer): Promise<{ server: Server; port: number; heard(): string }> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(demand);
      socket.on("data", (chunk: Buffer) => {
        heard.push(chunk);
        socket.write(Buffer.concat([OK, READY]));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port, heard: () => Buffer.concat(heard).toString("latin1") };
}

describe("a client of the program's own server", () => {
  const demands = { "clear text": CLEAR_TEXT, MD5, nothing: Buffer.concat([OK, READY]) };
  for (const [name, demand] of Object.entries(demands))
    it(`tells a server that asks for ${name} no password, and does not take it for its own`, async () => {
      const { server, port, heard } = await impostor(demand);
      const config = { host: "127.0.0.1", port, user: "arb", database: "arb", password: PASSWORD, ssl: false };
      const pool = new Pool({ ...config, Client: ScramClient as unknown as typeof Client });
      const error = await rejection(pool.query("select 1"));
      expect(error.message).to.include("SCRAM");
      expect(heard()).to.equal("");
      await pool.end();
      await new Promise((resolve) => server.close(resolve));
    });

  it("works with the real one", async () => {
    const client = new ScramClient({ connectionString: await freshDatabaseUrl() });
    await client.connect();
    expect((await client.query("select 1 as one")).rows).to.deep.equal([{ one: 1 }]);
    await client.end();
  });
});
