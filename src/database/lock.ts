import { statSync } from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ArbError } from "../errors.js";

/**
 * Runs `work` while no other process of this machine starts or stops the database of the folder. The lock is a name that the
 * kernel frees when its holder dies, however it dies, so that there is no stale lock. Only Linux has such names; elsewhere
 * PostgreSQL's own lock file decides which of two servers lives. Raises ArbError "locked" after `deadlineMs`.
 */
export async function exclusively<T>(folder: string, deadlineMs: number, work: () => Promise<T>): Promise<T> {
  if (process.platform !== "linux") return work();
  const { dev, ino } = statSync(folder);
  const name = `\0arb-postgres-${dev}-${ino}`;
  const end = performance.now() + deadlineMs;
  let server = await listen(name);
  while (server === null) {
    if (performance.now() > end)
      throw new ArbError("locked", "another process has been starting or stopping this database for long", {
        where: folder,
        hint: "wait for it, or end it",
      });
    await sleep(20);
    server = await listen(name);
  }
  const held = server;
  try {
    return await work();
  } finally {
    await new Promise((resolve) => held.close(resolve));
  }
}

async function listen(name: string): Promise<net.Server | null> {
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen({ path: name }, () => resolve(server));
  });
}
