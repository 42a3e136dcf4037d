import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync, statSync } from "node:fs";
import path from "node:path";
import { inspect } from "node:util";
import { ArbError } from "../errors.js";

/** A value that shows itself nowhere: not in logs, JSON, errors or the debugger's console. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself; call it where it is used, and keep the result in no field. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}

export interface SecretOptions {
  /** Allows "env:NAME", which other processes of the user can read: for endpoints, and for passwords in a local world. */
  allowEnv?: boolean;
  /** What the prompt asks for. */
  prompt?: string;
  /** Where the reference stands, for messages. */
  where?: string;
}

export const SECRET_REFERENCE = /^(file:.+|fd:\d+|prompt|env:[A-Za-z_]\w*)$/;

/**
 * Reads what a reference points to: "file:/path" (mode 0600), "fd:3", "prompt" (terminal without echo), "env:NAME".
 * Raises ArbError "secrets"; no message holds any part of the value.
 */
export async function readSecret(reference: string, options: SecretOptions = {}): Promise<Secret> {
  const where = options.where === undefined ? {} : { where: options.where };
  if (!SECRET_REFERENCE.test(reference))
    throw new ArbError("secrets", "a secret must be given by reference, never as itself", {
      ...where,
      hint: 'write "file:/path", "fd:3", "prompt" or "env:NAME"',
    });
  const value = await read(reference, options, where);
  if (value === "") throw new ArbError("secrets", `${describe(reference)} is empty`, where);
  return new Secret(value);
}

async function read(reference: string, options: SecretOptions, where: { where?: string }): Promise<string> {
  if (reference === "prompt") return askHidden(options.prompt ?? "Password");
  const rest = reference.slice(reference.indexOf(":") + 1);
  if (reference.startsWith("env:")) {
    if (options.allowEnv !== true)
      throw new ArbError("secrets", "a password is not read from the environment", {
        ...where,
        hint: 'other processes can read it there; use "file:/path" with mode 0600, "fd:3" or "prompt"',
      });
    const value = process.env[rest];
    if (value === undefined) throw new ArbError("secrets", `the environment has no ${rest}`, where);
    return value;
  }
  if (reference.startsWith("file:")) return readPrivateFile(rest, where.where).replace(/\r?\n$/, "");
  try {
    return readFileSync(Number(rest), "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    throw new ArbError("secrets", `file descriptor ${rest} cannot be read`, { ...where, hint: `start with ${rest}<FILE`, cause });
  }
}

/**
 * Reads a file that only its owner may read, in a folder where nobody else can put another file in its place. Links are followed to
 * where they lead, and that is what is checked (mounted secrets are links). Raises ArbError "secrets".
 */
export function readPrivateFile(file: string, where?: string): string {
  const at = { where: where === undefined ? file : `${where}: ${file}` };
  let fd: number;
  let real: string;
  try {
    real = realpathSync(file);
    // what is checked is what is read: no link in the last place any more, and a pipe must not hold the program
    fd = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw new ArbError("secrets", "the secret's file is not there or cannot be read", { ...at, cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile())
      throw new ArbError("secrets", "the secret's file is no regular file", { ...at, hint: 'use "fd:3" for pipes' });
    if ((stat.mode & 0o077) !== 0)
      throw new ArbError("secrets", `others can read the secret's file (mode ${(stat.mode & 0o777).toString(8)})`, {
        ...at,
        hint: `run: chmod 600 ${real}`,
      });
    for (const folder of [path.dirname(real), path.dirname(path.resolve(file))]) requireOwnFolder(folder, at);
    return readFileSync(fd, "utf8");
  } catch (cause) {
    if (cause instanceof ArbError) throw cause;
    throw new ArbError("secrets", "the secret's file cannot be read", { ...at, cause });
  } finally {
    closeSync(fd);
  }
}

/** Refuses a folder in which others could replace the file. Reading it tells names only, so that is no fault. */
function requireOwnFolder(folder: string, at: { where: string }): void {
  const { mode, uid, gid } = statSync(folder);
  const sticky = (mode & 0o1000) !== 0;
  // Debian and Fedora give each user a group of one, and folders that this group may write
  const ownGroup = gid === process.getgid?.() && gid === uid;
  const writable = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !ownGroup);
  if (writable && !sticky)
    throw new ArbError("secrets", `others can replace the secret's file: they may write to ${folder}`, {
      ...at,
      hint: `run: chmod go-w ${folder}`,
    });
}

const describe = (reference: string): string => (reference === "prompt" ? "the answer" : reference);

/** Asks on the terminal without showing what is typed. Raises ArbError "secrets" without a terminal or on Ctrl-C. */
async function askHidden(label: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY)
    throw new ArbError("secrets", "there is no terminal to ask for the password", { hint: 'use "file:/path" or "fd:3"' });
  // before the question, or the terminal would show what is typed at once
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stderr.write(`${label}: `);
  let typed = "";
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<string>)
      for (const key of chunk) {
        if (key === "\r" || key === "\n") return typed;
        if (key === "\u0003" || key === "\u0004") throw new ArbError("secrets", "the question was not answered");
        typed = key === "\u007f" || key === "\b" ? typed.slice(0, -1) : typed + key;
      }
    return typed;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}
