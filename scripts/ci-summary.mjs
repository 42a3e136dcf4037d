// Closes a test run with one line for machines, from its last lines: Mocha's own ("  2361 passing (4m)"), which counts what ran in several
// processes, and Hardhat's for the rest ("12 passing (12 solidity)").
import { readFileSync } from "node:fs";

const colours = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, "g");
const text = readFileSync(process.argv[2], "utf8").replaceAll(colours, "");
const last = (pattern) => Number([...text.matchAll(new RegExp(pattern, "gm"))].at(-1)?.[1] ?? 0);
const total = (word) => last(`^ {2}(\\d+) ${word}\\b(?: \\(|$)`) + last(`^\\d+ ${word} \\(.*?(\\d+) solidity`);
const [passed, failed, skipped] = [total("passing"), total("failing"), total("pending")];
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
