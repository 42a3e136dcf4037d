import { columns } from "../../src/cli/table.js";
import { measureGas } from "./gas.js";
import { measureReplays } from "./replay.js";
import { measureSagas } from "./sagas.js";
import { measureSending } from "./send.js";
import { measureSigning } from "./sign.js";

const progress = (what: string) => process.stderr.write(`${what} ...\n`);
const BENCHES: Record<string, () => Promise<object>> = {
  gas: () => measureGas({ progress }),
  replay: () => measureReplays(progress),
  sagas: () => measureSagas(sagas, databases, progress),
  send: () => measureSending(progress),
  sign: async () => ({ name: "sign", rows: await measureSigning() }),
};

const [name = "", ...flags] = process.argv.slice(2);
const bench = BENCHES[name];
const counted = flags.find((flag) => /^--sagas=[1-9]\d{0,4}$/.test(flag));
const sagas = Number(counted?.slice("--sagas=".length) ?? 1_000);
const chosen = flags.find((flag) => /^--database=(embedded|debian)$/.test(flag));
const databases =
  chosen === undefined ? (["embedded", "debian"] as const) : ([chosen.endsWith("debian") ? "debian" : "embedded"] as const);
if (bench === undefined || flags.some((flag) => flag !== "--json" && flag !== counted && flag !== chosen)) {
  process.stderr.write(
    `usage: npm run bench -- ${Object.keys(BENCHES).join("|")} [--sagas=N] [--database=embedded|debian] [--json]\n`,
  );
  process.exit(2);
}
const report = await bench().catch((error: unknown) => {
  // the message alone: Hardhat's errors carry whole source files
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
if (flags.includes("--json")) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
else {
  for (const rows of Object.values(report))
    if (Array.isArray(rows) && rows.length > 0) process.stdout.write(`${table(rows)}\n\n`);
}
// what Hardhat keeps open would hold the process
process.exit(0);

function table(rows: object[]): string {
  return columns([Object.keys(rows[0]!), ...rows.map((row) => Object.values(row).map((value) => String(value ?? "-")))]);
}
