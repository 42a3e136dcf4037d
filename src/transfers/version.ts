/**
 * Version of the sagas' steps, not of the program: a saga goes on only under the version that it was started with. It changes when the
 * names or the order of the steps do; until then a change goes behind DBOS.patch.
 */
export const SAGA_VERSION = "saga-1";
/** Schema of the workflow engine's own tables. */
export const ENGINE_SCHEMA = "dbos";
/** The engine's name of the program; versions are unique within it. */
export const APPLICATION = "arb";
/** Topic of what operators say to a saga. */
export const COMMANDS = "command";
