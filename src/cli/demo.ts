import { Command } from "commander";
import type { Outcome } from "../execution/outcome.js";
import { loadLocalWorld } from "./local-world.js";
import { makeOutput, reportOf } from "./output.js";
import { tradesTable } from "./table.js";

interface DemoModule {
  runDemo(note: (text: string) => void): Promise<Outcome[]>;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("the main job on four embedded local chains with real protocol bytecode")
    .action(async (options: { json?: boolean; quiet?: boolean }) => {
      const output = makeOutput(options);
      const local = await loadLocalWorld<DemoModule>("demo");
      const outcomes = await local.runDemo((text) => output.note(text));
      output.result(reportOf(outcomes), () => tradesTable(outcomes));
    });
}
