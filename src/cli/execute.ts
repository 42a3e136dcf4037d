import { Command } from "commander";
import { type Config, loadConfig } from "../config/load.js";
import { EXIT_CODES } from "../errors.js";
import type { Outcome } from "../execution/outcome.js";
import { ErrorHandler } from "../execution/error-handler.js";
import { type Session, openSession } from "../execution/session.js";
import { type AnyOpportunity, type IntakeItem, createIntake, intakeFile, intakeLines } from "../opportunity/intake.js";
import type { Opportunity } from "../opportunity/opportunity.js";
import type { Rejection } from "../opportunity/reject.js";
import { type ConfigOptions, withConfig } from "./common.js";
import { continueAcross, executeAcross, isAcross, printJudged } from "./cross-chain.js";
import { type Output, makeOutput, outcomeJson, printError } from "./output.js";
import { outcomeText } from "./table.js";

type Options = ConfigOptions & { detach?: boolean };

export function executeCommand(): Command {
  return withConfig(new Command("execute"))
    .description("execute opportunities from a file, or from stdin as JSON lines; sends only where the configuration says live")
    .argument("[file]", "a .json file (one opportunity or a list), or JSON lines; - or nothing reads stdin", "-")
    .option("--detach", "across chains: return when the trade has begun; a running driver, or the next execute, goes on with it")
    .action(async (file: string, options: Options) => {
      const output = makeOutput(options);
      const session = await openSession(loadConfig(options.config), {
        deployments: options.deployments,
        send: true,
        onFault: (error) => output.note(`will be tried again: ${new ErrorHandler().describe(error).message}`),
      });
      const { config } = session;
      if (config.mode === "dry-run") output.note('mode is "dry-run": everything is done but sending');
      const codes = new Set<number>();
      const attempt = async (work: () => Promise<number | number[]>): Promise<void> => {
        try {
          for (const code of [await work()].flat()) codes.add(code);
        } catch (error) {
          // one faulty network must not stop the opportunities of the others
          codes.add(printError(error, output.json));
        }
      };
      const across = new Set<string>();
      try {
        for await (const item of itemsOf(
          file,
          createIntake(() => session.validation()),
        )) {
          const { result } = item;
          if (result.ok && isAcross(result.value)) across.add(result.value.id);
          await attempt(async () => await run(item, session, output, options.detach === true));
        }
        if (continues(config, options)) {
          const networks = config.networks.map((n) => n.network);
          await attempt(async () => await continueAcross(await session.crossChain(), networks, output, across));
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

/** Whether trades of earlier runs are to be followed to their ends. */
const continues = ({ mode, crossChain }: Config, { detach }: Options): boolean =>
  mode === "live" && crossChain !== null && detach !== true;

async function run({ result }: IntakeItem, session: Session, output: Output, detach: boolean): Promise<number> {
  if (!result.ok) return print({ status: "rejected", rejection: result.rejection }, session, output);
  const opportunity: AnyOpportunity = result.value;
  if (!isAcross(opportunity)) return print(await executeHere(opportunity, session, output), session, output);
  const networks = session.config.networks.map((n) => n.network);
  const trading = await session.crossChain();
  if (session.config.mode === "live") return await executeAcross(opportunity, trading, networks, output, detach);
  printJudged("dry-run", opportunity, await trading.judge(opportunity), networks, output);
  return EXIT_CODES.ok;
}

async function executeHere(opportunity: Opportunity, session: Session, output: Output): Promise<Outcome> {
  const driver = await session.driver(opportunity.chainId);
  return await driver.execute(opportunity, (step, { opportunity: { id }, txHash }) => {
    // said at once: whoever interrupts the program must know what is on its way
    if (step === "sent") output.note(`${id} sent ${txHash ?? ""}`);
  });
}

function print(outcome: Outcome | { status: "rejected"; rejection: Rejection }, { config }: Session, output: Output): number {
  const networks = config.networks.map((n) => n.network);
  output.result(outcomeJson(outcome), () => outcomeText(outcome, networks));
  return exitCodeOf(outcome);
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
