import { ArbError } from "../errors.js";

type Coded = Error & { code?: string };

const codeOf = (error: unknown): string => (error instanceof Error ? ((error as Coded).code ?? "") : "");

/** The server is there and not ready yet: starting, recovering or shutting down. */
export const isNotReady = (error: unknown): boolean => codeOf(error) === "57P03";

/** The connection is lost or was never made; what was asked may or may not have been done. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  if (["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "57P01", "57P02", "57P03"].includes(code) || code.startsWith("08"))
    return true;
  return error instanceof Error && /Connection terminated|timeout expired|not queryable/.test(error.message);
}

export const isWrongPassword = (error: unknown): boolean =>
  ["28P01", "28000"].includes(codeOf(error)) ||
  (error instanceof Error && /SASL|SCRAM|password must be a string/.test(error.message));

/**
 * An error of PostgreSQL or of the way to it, in words with what to do. `where` names the database without its password. Errors
 * of the program itself (a wrong statement) come back as they are.
 */
export function databaseFault(error: unknown, where: string): unknown {
  if (error instanceof ArbError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  const fault = (kind: "config" | "network" | "secrets" | "locked" | "refused", message: string, hint: string): ArbError =>
    new ArbError(kind, message, { where, hint, cause: error });
  if (isWrongPassword(error))
    return fault("secrets", "the database refuses the user or the password", "check the reference in database.url");
  if (code === "53100" || code === "ENOSPC")
    return fault("config", "the disk of the database is full", "free space there; nothing that was committed is lost");
  if (code === "53300")
    return fault("network", "the database has no free connection", "raise its max_connections, or end other programs");
  if (code === "3D000") return fault("config", "the database does not exist", "create it, or correct database.url");
  if (code === "42501")
    return fault("config", "the user of the database may not do that", "make the user the owner of its database");
  if (code === "25006")
    return fault("config", "the database is read-only: a standby, or set so", "point database.url to the primary");
  if (code === "57014")
    return fault("network", "the database took longer than the deadline", "look at its load; the change was not made");
  if (code === "55P03")
    return fault("locked", "another process holds a lock in the database for long", "find it in pg_stat_activity");
  if (/does not support SSL/.test(error.message))
    return fault(
      "config",
      "the database does not offer TLS",
      "turn it on there, or, in a private network, add ?sslmode=disable to the URL",
    );
  if (/^(CERT_|ERR_TLS|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/.test(code))
    return fault(
      "config",
      "the database's TLS certificate is not trusted",
      "add ?sslrootcert=FILE with its authority to the URL",
    );
  if (isLost(error) || ["ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(code))
    return fault(
      "network",
      `the database does not answer (${code === "" ? error.message : code})`,
      "check that it runs and can be reached",
    );
  return error;
}

/** An error of the file system below a data folder, in words. */
export function folderFault(error: unknown, folder: string): unknown {
  const code = codeOf(error);
  const fault = (message: string, hint: string): ArbError =>
    new ArbError("config", message, { where: folder, hint, cause: error });
  if (error instanceof ArbError) return error;
  if (["EACCES", "EPERM"].includes(code))
    return fault(
      "the database's folder cannot be read or written",
      "give it to the user who runs the program, or set database.folder",
    );
  if (code === "EROFS") return fault("the database's folder is on a read-only disk", "set database.folder to a writable one");
  if (code === "ENOSPC" || code === "EDQUOT")
    return fault("the disk of the database is full", "free 100 MB or more, or set database.folder");
  if (code === "ENOTDIR" || code === "EEXIST")
    return fault("the database's folder is a file", "set database.folder to another name");
  return error;
}
