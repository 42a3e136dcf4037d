// Adds up what the test runners printed ("12 passing", "3 failing", "1 pending") and closes with one line for machines.
import { readFileSync } from "node:fs";

// eslint-disable-next-line no-control-regex -- colour codes
const text = readFileSync(process.argv[2], "utf8").replaceAll(/\u001B\[[0-9;]*m/g, "");
const sum = (word) => [...text.matchAll(new RegExp(`^\\s*(\\d+) ${word}`, "gm"))].reduce((total, m) => total + Number(m[1]), 0);
const [passed, failed, skipped] = [sum("passing"), sum("failing"), sum("pending")];
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
