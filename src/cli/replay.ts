import { Command } from "commander";
import type { CommonOptions } from "./common.js";
import { loadLocalWorld } from "./local-world.js";
import { makeOutput } from "./output.js";
import { columns } from "./table.js";

/** The part of a replay's result that is printed; src/sim/replay.ts makes it. */
interface ReplayResult {
  caseId: string;
  profitToken: string;
  searcher: { grossProfit: bigint; gasUsed: number };
  ours: {
    grossProfit: bigint;
    gasUsed: number;
    amountIn: bigint;
    hops: { venue: string; pool: string; amountIn: bigint; amountOut: bigint }[];
    note: string | null;
  };
  unrecordedReads: { address: string; slot: string | null; of: string }[];
}

interface ReplayModule {
  replay(file: string, options: { cold?: boolean }): Promise<ReplayResult>;
}

export function replayCommand(): Command {
  return new Command("replay")
    .description("execute the opportunity of a recorded transaction with our executor, beside the searcher that won it")
    .argument("<file>", "a recorded case, .json or .json.gz")
    .option("--cold", "an executor that never held the profit token")
    .action(async (file: string, options: CommonOptions & { cold?: boolean }) => {
      const output = makeOutput(options);
      const local = await loadLocalWorld<ReplayModule>("replay");
      const result = await local.replay(file, { cold: options.cold === true });
      output.result(result, () => replayText(result));
    });
}

function replayText({ caseId, profitToken, searcher, ours, unrecordedReads }: ReplayResult): string {
  const share = searcher.grossProfit > 0n ? Number((ours.grossProfit * 1_000_000n) / searcher.grossProfit) / 10_000 : null;
  const rows = [
    ["", "gross profit", "gas"],
    ["searcher", searcher.grossProfit.toString(), searcher.gasUsed.toString()],
    ["ours", ours.grossProfit.toString(), ours.gasUsed.toString()],
  ];
  const hops = ours.hops.map((h) => [h.venue, h.pool, h.amountIn.toString(), "->", h.amountOut.toString()]);
  return [
    `${caseId}: profit in base units of ${profitToken}${share === null ? "" : `, ours is ${share} % of the searcher's`}`,
    columns(rows),
    columns(hops),
    ...(ours.note === null ? [] : [ours.note]),
    ...unrecordedReads.map((r) => `read unrecorded ${r.of} state: ${r.address} ${r.slot ?? ""}`),
  ].join("\n");
}
