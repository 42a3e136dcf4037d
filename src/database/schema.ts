import { journalMigrations } from "../journal/migrations.js";
import type { Migration } from "./migrate.js";

/** All migrations of the program, in their order: each module that owns tables adds its list here. */
export const MIGRATIONS: readonly Migration[] = [...journalMigrations];
