// A program that opens the database of a folder, says so, and closes it when its stdin ends. Run by the tests beside it.
import { openDatabase } from "../../src/database/open.js";

/** The test runner loads every file of this folder; only the process that a test starts shall do anything. */
if (process.argv[1] === import.meta.filename) await main();

async function main(): Promise<void> {
  const [folder = "", as] = process.argv.slice(2);
  try {
    const db = await openDatabase({ folder }, as === undefined ? {} : { as: as as "owner" });
    process.stdout.write(`${JSON.stringify({ ...db.server, url: db.url, uid: process.getuid?.() })}\n`);
    for await (const _ of process.stdin);
    await db.close();
  } catch (error) {
    const { message, where, hint, code } = error as Record<string, string>;
    process.stdout.write(`${JSON.stringify({ error: message, where, hint, code })}\n`);
  }
}
