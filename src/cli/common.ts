import { existsSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";

/** Options that every command has. */
export interface CommonOptions {
  json?: boolean;
  quiet?: boolean;
}

export interface ConfigOptions extends CommonOptions {
  config: string;
  deployments: string;
}

/** Root of the installation, where package.json, deployments/ and docs/ lie: the same from src/ and from dist/. */
export const ROOT = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  let at = folder;
  while (!existsSync(path.join(at, "package.json")) && at !== path.dirname(at)) at = path.dirname(at);
  return at;
}

export function withConfig(command: Command): Command {
  return command
    .option("--config <file>", "configuration", "arb.config.jsonc")
    .option("--deployments <folder>", "folder of the deployment records", path.join(ROOT, "deployments"));
}
