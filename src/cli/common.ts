import { fileURLToPath } from "node:url";
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

/** Root of the installation, where deployments/ lies. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export function withConfig(command: Command): Command {
  return command
    .option("--config <file>", "configuration", "arb.config.jsonc")
    .option("--deployments <folder>", "folder of the deployment records", path.join(ROOT, "deployments"));
}
