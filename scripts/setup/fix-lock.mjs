// Makes package-lock.json installable by `npm ci` on Node 20. Run after every `npm install PACKAGE`:
//   npm run lock              rewrites it
//   npm run lock -- --check   exits 1 when a rewrite is needed
// 1. npm run by Node 20 silently skips optional packages whose `engines` exclude Node 20 (EDR's native binding: Hardhat then
//    fails with HHE27) and warns about the others. All of them run under the Node of node_modules/.bin, so `engines` goes.
// 2. `npm ci` refuses a lock that lacks an optional dependency, and npm drops those the registry does not serve. They come
//    back as inert entries, with os and cpu from their names.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "./find-node.mjs";

const file = path.join(root, "package-lock.json");
const before = readFileSync(file, "utf8");
const lock = JSON.parse(before);
const { "": top, ...packages } = lock.packages;

for (const [key, entry] of Object.entries(packages)) {
  delete entry.engines;
  delete entry.resolved;
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] || packages[`${key}/node_modules/${name}`]) continue;
    const platform = /(darwin|win32|linux|freebsd|openbsd|netbsd|sunos|aix|android|openharmony)/.exec(name)?.[1];
    const cpu = /(arm64|x64|amd64|ia32|loong64|mips64el|ppc64|riscv64|s390x|arm)/.exec(name)?.[1]?.replace("amd64", "x64");
    if (!platform || !cpu) throw new Error(`cannot tell the platform of ${name}, an optional dependency of ${key}`);
    const libc = /musl/.test(name) ? "musl" : /gnu/.test(name) ? "glibc" : undefined;
    packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~=]/, ""),
      cpu: [cpu],
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc: [libc] } : {}),
      optional: true,
      os: [platform],
    };
  }
}
const sorted = Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
lock.packages = { "": top, ...Object.fromEntries(sorted) };
const after = `${JSON.stringify(lock, null, 2)}\n`;
const content = (text) => JSON.stringify(Object.entries(JSON.parse(text).packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
if (!process.argv.includes("--check")) writeFileSync(file, after);
else if (content(after) !== content(before)) {
  console.error("package-lock.json needs: npm run lock");
  process.exit(1);
}
