/** A driver in a process of its own: takes the account and journals intent after intent, until it is killed or refused. */
import { Pool } from "pg";
import { Secret } from "../../src/config/secrets.js";
import { openJournal } from "../../src/journal/journal.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { signer, ZERO } from "./world.js";

/** The test runner loads every file of this folder; only the process that a test starts shall do anything. */
if (process.argv[1] === import.meta.filename) await main();

async function main(): Promise<void> {
  const [url = "", key = "", name = ""] = process.argv.slice(2);
  const pool = new Pool({ connectionString: url, max: 4 });
  // the test kills and stops this process, never the server
  pool.on("error", () => undefined);
  const wallet = new WalletManager(new Secret(key));
  const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  try {
    const journal = await openJournal({ pool }, { ttlMs: 60_000, renewMs: 600_000 });
    const account = await journal.claim(1, wallet.address, ZERO);
    say({ epoch: String(account.epoch) });
    for (let i = 0; ; i += 4) {
      // four at once, so that a kill meets one in each state
      await Promise.all([0, 1, 2, 3].map(async (j) => await journal.prepare(account, `${name}-${i + j}`, signer(wallet))));
      say({ done: i + 4 });
    }
  } catch (error) {
    say({ code: (error as { code?: string }).code, message: (error as Error).message });
    process.exit(3);
  }
}
