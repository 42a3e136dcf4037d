import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import { EXIT_CODES } from "../errors.js";
import type { Outcome } from "../execution/outcome.js";
import { ErrorHandler } from "../execution/error-handler.js";
import { type Session, openSession } from "../execution/session.js";
import { type IntakeItem, createIntake, intakeFile, intakeLines } from "../opportunity/intake.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { type Output, makeOutput, outcomeJson, printError } from "./output.js";
import { outcomeText } from "./table.js";

export function executeCommand(): Command {
  return withConfig(new Command("execute"))
    .description("execute opportunities from a file, or from stdin as JSON lines; sends only where the configuration says live")
    .argument("[file]", "a .json file (one opportunity or a list), or JSON lines; - or nothing reads stdin", "-")
    .action(async (file: string, options: ConfigOptions) => {
      const output = makeOutput(options);
      const session = await openSession(loadConfig(options.config), {
        deployments: options.deployments,
        send: true,
        onFault: (error) => output.note(`will be tried again: ${new ErrorHandler().describe(error).message}`),
      });
      if (session.config.mode === "dry-run") output.note('mode is "dry-run": everything is done but sending');
      const networks = session.config.networks.map((n) => n.network);
      const codes = new Set<number>();
      try {
        for await (const item of itemsOf(
          file,
          createIntake(() => session.validation()),
        )) {
          try {
            const outcome = await run(item, session, output);
            codes.add(exitCodeOf(outcome));
            output.result(outcomeJson(outcome), () => outcomeText(outcome, networks));
          } catch (error) {
            // one faulty network must not stop the opportunities of the others
            codes.add(printError(error, output.json));
          }
        }
      } finally {
        await session.close();
      }
      process.exitCode = Math.max(0, ...codes);
    });
}

/** The opportunities of a file, or of stdin for "-". */
export function itemsOf(file: string, intake: ReturnType<typeof createIntake>): AsyncGenerator<IntakeItem> {
  return file === "-" ? intakeLines(process.stdin, intake) : intakeFile(file, intake);
}

async function run(item: IntakeItem, session: Session, output: Output): Promise<Outcome> {
  if (!item.result.ok) return { status: "rejected", rejection: item.result.rejection };
  const driver = await session.driver(item.result.value.chainId);
  return await driver.execute(item.result.value, (step, { opportunity, txHash }) => {
    // said at once: whoever interrupts the program must know what is on its way
    if (step === "sent") output.note(`${opportunity.id} sent ${txHash ?? ""}`);
  });
}

/** A rejection is an answer, not a failure of the command; what was sent and did not land is. */
function exitCodeOf(outcome: Outcome): number {
  switch (outcome.status) {
    case "landed":
    case "dry-run":
    case "rejected":
      return EXIT_CODES.ok;
    case "reverted":
      return EXIT_CODES.reverted;
    case "unknown":
      return EXIT_CODES.timeout;
  }
}
