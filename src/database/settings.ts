import type { Config } from "../config/load.js";
import { readSecret, Secret } from "../config/secrets.js";
import type { DatabaseSettings } from "./open.js";

/**
 * Which database a configuration means: `database.url`, else `database.folder`; where neither is set, the environment's
 * DATABASE_URL, else the default folder. Raises ArbError "secrets" when the reference cannot be read.
 */
export async function databaseSettings(config: Pick<Config, "database">): Promise<DatabaseSettings> {
  const { url, folder, given } = config.database;
  if (url !== null)
    return { url: await readSecret(url, { allowEnv: true, prompt: "URL of the database", where: "database.url" }) };
  const ambient = process.env["DATABASE_URL"];
  return !given && ambient !== undefined && ambient !== "" ? { url: new Secret(ambient) } : { folder };
}
