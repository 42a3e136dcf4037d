import { Command } from "commander";
import { EXIT_CODES } from "../errors.js";
import type { Outcome } from "../execution/outcome.js";
import type { SagaReport } from "../transfers/report.js";
import { loadLocalWorld } from "./local-world.js";
import { makeOutput, reportOf } from "./output.js";
import { sagaText } from "./saga-text.js";
import { tradesTable } from "./table.js";

interface DemoModule {
  runDemo(note: (text: string) => void): Promise<{
    outcomes: Outcome[];
    crossChain: { scene: string; report: SagaReport; faults: string[] }[];
  }>;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description("the main job on four embedded local chains with real protocol bytecode")
    .action(async (options: { json?: boolean; quiet?: boolean }) => {
      const output = makeOutput(options);
      const local = await loadLocalWorld<DemoModule>("demo");
      const { outcomes, crossChain } = await local.runDemo((text) => output.note(text));
      const across = crossChain.map(({ scene, report, faults }) => ({ scene, ...report, faults }));
      output.result({ ...reportOf(outcomes), crossChain: across }, () =>
        [
          tradesTable(outcomes),
          `${crossChain.length} across chains, balances of the chains compared with the books`,
          ...crossChain.map(({ report, faults }) => [sagaText(report), ...faults.map((f) => `  FAULT: ${f}`)].join("\n")),
        ].join("\n\n"),
      );
      // the local world is ours: whatever is not as the scene has it is a fault of the program
      if (crossChain.some((t) => t.faults.length > 0)) process.exitCode = EXIT_CODES.internal;
    });
}
