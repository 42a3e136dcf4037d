import { ArbError } from "../../src/errors.js";
import { columns } from "../../src/cli/table.js";
import { measureGas } from "./gas.js";

const USAGE = "usage: npm run bench -- gas|replay [--json]";

async function main(): Promise<void> {
  const [name, ...flags] = process.argv.slice(2);
  const json = flags.includes("--json");
  if (flags.some((flag) => flag !== "--json")) throw new ArbError("usage", USAGE);
  const progress = (what: string) => process.stderr.write(`${what} ...\n`);
  const report = name === "gas" ? await measureGas({ progress }) : null;
  if (report === null) throw new ArbError("usage", USAGE);
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${table(report.rows)}\n`);
}

function table(rows: object[]): string {
  return columns([Object.keys(rows[0]!), ...rows.map((row) => Object.values(row).map((value) => String(value ?? "-")))]);
}

await main();
