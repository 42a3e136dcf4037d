import { migrate } from "../database/migrate.js";
import { type Database, type DatabaseOptions, type DatabaseSettings, openDatabase } from "../database/open.js";
import { MIGRATIONS } from "../database/schema.js";
import { type Journal, type JournalOptions, openJournal } from "./journal.js";
import { keepPruning } from "./retention.js";

export interface OpenJournal {
  journal: Journal;
  db: Database;
  /** Gives the accounts back, then closes the database. */
  close(): Promise<void>;
}

/**
 * Opens a database, brings its tables up to date, and opens the journal in it; while it is open, what is older than `keepDays` (30) is deleted. Raises ArbError as these do.
 */
export async function openJournalOf(
  settings: DatabaseSettings,
  options: JournalOptions & { database?: DatabaseOptions; keepDays?: number } = {},
): Promise<OpenJournal> {
  const db = await openDatabase(settings, options.database ?? {});
  try {
    await migrate(db, MIGRATIONS);
    const journal = await openJournal(db, options);
    const { onFault = () => undefined, keepDays } = options;
    const endPruning = keepPruning(db, onFault, keepDays === undefined ? {} : { keepDays });
    const close = async (): Promise<void> => {
      await endPruning();
      // a database that is gone must not keep the program from ending; the lease then runs out
      try {
        await journal.close();
      } finally {
        await db.close();
      }
    };
    return { journal, db, close };
  } catch (error) {
    await db.close();
    throw error;
  }
}
