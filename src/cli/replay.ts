import { Command } from "commander";
import type { ReplayResult } from "../sim/replay.js";
import { loadLocalWorld } from "./local-world.js";
import { makeOutput } from "./output.js";

interface ReplayModule {
  replay(file: string, options: { cold?: boolean }): Promise<ReplayResult>;
}
