/** What each process that runs test files does first. */

// how the runner loads TypeScript is its own business: programs that tests start are started as users start them
if (process.env["MOCHA_WORKER_ID"] !== undefined) delete process.env["NODE_OPTIONS"];
