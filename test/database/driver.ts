// A program that opens the database of a folder, says so, and closes it when its stdin ends. Run by the tests beside it.
import { openDatabase } from "../../src/database/open.js";

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
