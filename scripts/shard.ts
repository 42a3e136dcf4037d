import { runCrossChain } from "./faults/crosschain/run.ts";
const [from, step, seed = 20261129, count = 200] = process.argv.slice(2).map(Number);
const rounds = [...Array(count).keys()].filter((i) => i % step! === from);
const r = await runCrossChain({ seed, rounds, results: `cache/shard-${seed}-${from}.json`, note: (t) => console.error(t) });
console.log(JSON.stringify(r, null, 1));
process.exit(0);
