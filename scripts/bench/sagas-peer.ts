/** The peer of `bench -- sagas`: bare DBOS workflows on the same server, each with as many steps that do nothing. URL WORKFLOWS STEPS. */
import { DBOS } from "@dbos-inc/dbos-sdk";

const [url = "", workflows = "0", steps = "0"] = process.argv.slice(2);
const bare = DBOS.registerWorkflow(
  async (count: number): Promise<number> => {
    for (let i = 0; i < count; i++) await DBOS.runStep(() => Promise.resolve(i), { name: `step-${i}` });
    return count;
  },
  { name: "bare" },
);
const silent = { info: () => undefined, debug: () => undefined, warn: () => undefined, error: () => undefined };
DBOS.setConfig({ name: "bare", systemDatabaseUrl: url, logger: silent });
await DBOS.launch();
const started = performance.now();
const handles = await Promise.all(
  Array.from({ length: Number(workflows) }, async () => await DBOS.startWorkflow(bare)(Number(steps))),
);
await Promise.all(handles.map(async (handle) => await handle.getResult()));
const seconds = (performance.now() - started) / 1_000;
process.stdout.write(`${JSON.stringify({ seconds, rssMb: Math.round(process.memoryUsage().rss / 2 ** 20) })}\n`);
await DBOS.shutdown();
process.exit(0);
