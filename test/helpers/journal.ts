import type { Database } from "../../src/database/open.js";
import { migrate } from "../../src/database/migrate.js";
import { MIGRATIONS } from "../../src/database/schema.js";
import { type Journal, type JournalOptions, openJournal } from "../../src/journal/journal.js";
import { freshDatabase } from "./database.js";

/** An empty database with the program's tables. The caller closes it. */
export async function journalDatabase(): Promise<Database> {
  const db = await freshDatabase({ connections: 8 });
  await migrate(db, MIGRATIONS);
  return db;
}

/** A journal in an empty database of its own. `close` closes both. */
export async function freshJournal(
  options: JournalOptions = {},
): Promise<{ journal: Journal; db: Database; close(): Promise<void> }> {
  const db = await journalDatabase();
  const journal = await openJournal(db, options);
  const close = async (): Promise<void> => {
    await journal.close();
    await db.close();
  };
  return { journal, db, close };
}
