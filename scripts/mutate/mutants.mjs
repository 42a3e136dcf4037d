// From a syntax tree of solc to mutants: small changes of the source, each of which at least one test should notice.
// A mutant is {id, file, within, operator, start, length, text}: replace `length` bytes at `start` by `text`.
import { createHash } from "node:crypto";

const YUL_SWAPS = {
  lt: ["gt"],
  gt: ["lt"],
  slt: ["sgt", "lt"],
  sgt: ["slt", "gt"],
  and: ["or"],
  or: ["and"],
  xor: ["or"],
  add: ["sub"],
  sub: ["add"],
  mul: ["div"],
  div: ["mul"],
  shl: ["shr"],
  shr: ["shl"],
  caller: ["address"],
  address: ["caller"],
  timestamp: ["number"],
  number: ["timestamp"],
};
/** Whose value a test should notice: replaced by zero. */
const YUL_VALUES = new Set(["keccak256", "returndatasize", "calldataload", "mload", "calldatasize", "sload", "tload"]);
const NOT_COMMUTATIVE = new Set(["sub", "div", "tstore", "sstore"]);
const SOLIDITY_SWAPS = {
  "==": ["!="],
  "!=": ["=="],
  "<": ["<=", ">="],
  ">": [">=", "<="],
  "<=": ["<", ">"],
  ">=": [">", "<"],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "&": ["|"],
  "|": ["&"],
  "<<": [">>"],
  ">>": ["<<"],
};

/** All mutants of one file. `ast` is solc's, `source` a Buffer: offsets count bytes. */
export function mutantsOf(file, ast, source) {
  const found = new Map();
  const span = (node) => node.src.split(":").map(Number);
  const text = (node) => {
    const [start, length] = span(node);
    return source.subarray(start, start + length).toString();
  };

  const add = (within, operator, node, replacement) => {
    const [start, length] = Array.isArray(node) ? node : span(node);
    const original = source.subarray(start, start + length).toString();
    if (original === replacement) return;
    const key = `${start}:${length}:${replacement}`;
    if (found.has(key)) return;
    // named by what it changes in which line of which function: edits elsewhere leave the name alone
    const before = source.subarray(0, start).toString().split("\n");
    const line = before.length;
    const code = before.at(-1) + source.subarray(start).toString().split("\n", 1)[0];
    const hash = createHash("sha256")
      .update([file, within, code.trim(), original, replacement].join("\0"))
      .digest("hex")
      .slice(0, 10);
    found.set(key, { hash, file, within, operator, line, start, length, original, text: replacement });
  };

  const swapSpans = (within, operator, a, b) => {
    const [startA, lengthA] = span(a);
    const [startB, lengthB] = span(b);
    const between = source.subarray(startA + lengthA, startB).toString();
    add(within, operator, [startA, startB + lengthB - startA], text(b) + between + text(a));
  };

  const constant = (within, node) => {
    const raw = node.nodeType === "YulLiteral" ? node.value : node.value?.replaceAll("_", "");
    if (node.kind !== "number" || raw === undefined || !/^(0x[0-9a-fA-F]+|\d+)$/.test(raw)) return;
    const value = BigInt(raw);
    const isHex = raw.startsWith("0x");
    const show = (n) => (isHex ? "0x" + n.toString(16) : n.toString());
    if (isHex && raw.length === 42 && node.nodeType === "Literal") return add(within, "constant", node, `(uint160(${raw}) ^ 1)`);
    if (isHex && raw.length === 10) return add(within, "constant", node, "0x" + (value ^ 1n).toString(16).padStart(8, "0"));
    if (value >= 0xffn && (value & (value + 1n)) === 0n) {
      add(within, "constant", node, show(value >> 8n));
      return add(within, "constant", node, show(value >> 1n));
    }
    // of masks with a hole
    if (isHex && raw.length > 20) return add(within, "constant", node, show(value ^ (1n << 12n)));
    // one neighbour, which one by place: both would mostly be the same test twice
    const up = value === 0n || span(node)[0] % 2 === 0;
    add(within, "constant", node, show(up ? value + 1n : value - 1n));
  };

  const yulCondition = (within, node) => {
    const isZero = node.nodeType === "YulFunctionCall" && node.functionName.name === "iszero";
    add(within, "condition", node, isZero ? text(node.arguments[0]) : `iszero(${text(node)})`);
    add(within, "condition", node, "1");
  };

  /** Whether others can see when it happens: calls, transient storage, ends; our own functions may do any of these. */
  const hasEffect = (node) => {
    const calls = [...text(node).matchAll(/(\w+)\s*\(/g)].map(([, name]) => name);
    return calls.some((name) => functions.has(name) || /^(call|staticcall|[ts]store|return|stop|revert)$/.test(name));
  };
  const isStore = (node) => /^(mstore|calldatacopy)\b/.test(text(node));
  const isDeclaration = (node) => node.nodeType === "YulVariableDeclaration" || node.nodeType === "YulFunctionDefinition";

  /** An `if` that only reverts, on a condition that calls nobody. */
  const isRefusal = (node) =>
    node.nodeType === "YulIf" &&
    !hasEffect(node.condition) &&
    node.body.statements.every((inner) => /^(fail|failWith|bubble|tokenFailed|revert)\(/.test(text(inner)));

  /** Whether nobody can see which of the two comes first: a revert takes back whatever was stored, and leaves only its own name. */
  const anyOrder = (refusal, other) => {
    if (!isRefusal(refusal)) return false;
    if (isRefusal(other)) return true;
    if (/^[ts]store\(/.test(text(other))) return !/\b(t|s)load\b/.test(text(refusal));
    if (other.nodeType !== "YulAssignment" || hasEffect(other)) return false;
    return !other.variableNames.some(({ name }) => new RegExp(`\\b${name}\\b`).test(text(refusal)));
  };

  const yulBlock = (within, block) => {
    for (const [i, statement] of block.statements.entries()) {
      if (
        ["YulExpressionStatement", "YulAssignment", "YulIf", "YulLeave", "YulSwitch", "YulForLoop"].includes(statement.nodeType)
      ) {
        add(within, "drop", statement, "");
      }
      const next = block.statements[i + 1];
      if (!next || isDeclaration(statement) || isDeclaration(next) || !(hasEffect(statement) || hasEffect(next))) continue;
      // two writes to memory change places without a trace; nothing follows an end
      if (isStore(statement) && isStore(next)) continue;
      if (anyOrder(statement, next) || anyOrder(next, statement)) continue;
      swapSpans(within, "order", statement, next);
    }
  };

  const yulCall = (within, node) => {
    const { name } = node.functionName;
    // a / 0 is 0 and a / 1 is a, as with mul
    const same = name === "mul" && /^((iszero|eq|s?gt|s?lt)\(|and\([^]*, 1\)$)/.test(text(node.arguments[1]));
    for (const other of same ? [] : (YUL_SWAPS[name] ?? [])) add(within, "operator", node.functionName, other);
    if (name === "iszero" || name === "not") add(within, "condition", node, text(node.arguments[0]));
    if (name === "eq") add(within, "condition", node, `iszero(${text(node)})`);
    if (YUL_VALUES.has(name)) add(within, "value", node, "0");
    if (name === "and" || name === "or") {
      // one half of a condition, or a mask, is left out
      if (node.arguments.every((argument) => argument.nodeType === "YulFunctionCall")) {
        for (const argument of node.arguments) add(within, "condition", node, text(argument));
      } else if (name === "and") {
        const kept = node.arguments.find((argument) => argument.nodeType !== "YulLiteral");
        if (kept) add(within, "mask", node, text(kept));
      }
    }
    // where nothing is kept of an answer, its place does not matter
    const [place, size] = /^(static)?call$/.test(name) ? node.arguments.slice(-2) : [];
    if (size?.nodeType === "YulLiteral" && Number(size.value) === 0) {
      skipped.add(place);
      // and one byte of it at 0x00 lands where everything is written before it is read
      if (place.nodeType === "YulLiteral" && Number(place.value) === 0) skipped.add(size);
    }
    const own = functions.has(name);
    if (own || NOT_COMMUTATIVE.has(name)) {
      for (let i = 1; i < node.arguments.length; i++) swapSpans(within, "arguments", node.arguments[i - 1], node.arguments[i]);
    }
  };

  const functions = new Set();
  const skipped = new Set();
  const collect = (node) => {
    if (Array.isArray(node)) return node.forEach(collect);
    if (!node || typeof node !== "object") return;
    if (node.nodeType === "YulFunctionDefinition") functions.add(node.name);
    for (const child of Object.values(node)) collect(child);
  };
  collect(ast);

  const soliditySpecific = (within, node) => {
    switch (node.nodeType) {
      case "FunctionDefinition":
        for (const modifier of node.modifiers) {
          if (modifier.kind === "modifierInvocation") add(within, "drop", modifier, "");
        }
        break;
      case "IfStatement":
        add(within, "condition", node.condition, `!(${text(node.condition)})`);
        if (!node.falseBody) add(within, "drop", node, "{}");
        break;
      case "WhileStatement":
        add(within, "condition", node.condition, "false");
        break;
      case "BinaryOperation":
        for (const other of SOLIDITY_SWAPS[node.operator] ?? []) {
          const [left, right] = [node.leftExpression, node.rightExpression];
          const [start, length] = span(left);
          const between = source.subarray(start + length, span(right)[0]).toString();
          const place = between.indexOf(node.operator);
          add(within, "operator", [start + length + place, node.operator.length], other);
        }
        if (node.operator === "&&" || node.operator === "||") {
          add(within, "condition", node, text(node.leftExpression));
          add(within, "condition", node, text(node.rightExpression));
        }
        break;
      case "UnaryOperation":
        if (node.operator === "!") add(within, "condition", node, text(node.subExpression));
        if (node.operator === "++") add(within, "operator", node, `--${text(node.subExpression)}`);
        if (node.operator === "delete") add(within, "drop", node, text(node.subExpression));
        break;
      case "Conditional":
        add(within, "condition", node, `(${text(node.trueExpression)})`);
        add(within, "condition", node, `(${text(node.falseExpression)})`);
        break;
      case "FunctionCall":
        // words behind those that are sent
        if (node.expression.name === "_encode") {
          for (const word of node.arguments.slice(2 + Number(node.arguments[0].value))) skipped.add(word);
        }
        break;
      case "ExpressionStatement":
        add(within, "drop", node, "0");
        break;
      case "Return":
        if (node.expression) add(within, "drop", node.expression, "0");
        break;
      case "Block":
        for (const [i, statement] of node.statements.entries()) {
          const next = node.statements[i + 1];
          if (next && [statement, next].every(({ nodeType }) => /^(ExpressionStatement|IfStatement)$/.test(nodeType))) {
            // two refusals, or two plain assignments, change places without a trace
            if ([statement, next].every((each) => /\brevert\b/.test(text(each)) || !text(each).includes("("))) continue;
            const [a, b] = [statement, next].map((each) => withSemicolon(source, span(each)));
            const between = source.subarray(a[0] + a[1], b[0]).toString();
            const part = ([start, length]) => source.subarray(start, start + length).toString();
            add(within, "order", [a[0], b[0] + b[1] - a[0]], part(b) + between + part(a));
          }
        }
        break;
    }
  };

  const walk = (node, within) => {
    if (Array.isArray(node)) return node.forEach((child) => walk(child, within));
    if (!node || typeof node !== "object") return;
    const inside = /^(YulFunctionDefinition|FunctionDefinition|ModifierDefinition)$/.test(node.nodeType ?? "")
      ? node.name || node.kind
      : within;
    switch (node.nodeType) {
      // what is only announced or described, and what only the ABI shows
      case "EmitStatement":
      case "RevertStatement":
      case "EventDefinition":
      case "ErrorDefinition":
      case "PragmaDirective":
      case "ImportDirective":
        return;
      case "YulIf":
      case "YulForLoop":
        yulCondition(inside, node.condition);
        break;
      case "YulBlock":
        yulBlock(inside, node);
        break;
      case "YulFunctionCall":
        yulCall(inside, node);
        break;
      case "YulLiteral":
      case "Literal":
        if (!skipped.has(node)) constant(inside, node);
        break;
      default:
        soliditySpecific(inside, node);
    }
    for (const [key, child] of Object.entries(node)) if (key !== "typeDescriptions") walk(child, inside);
  };
  walk(ast, "");

  const seen = new Map();
  return [...found.values()]
    .toSorted((a, b) => a.start - b.start || a.length - b.length)
    .map(({ hash, ...mutant }) => {
      const count = (seen.get(hash) ?? 0) + 1;
      seen.set(hash, count);
      return { id: count === 1 ? hash : `${hash}-${count}`, ...mutant };
    });
}

/** A statement's span with its semicolon, which the tree leaves out. */
function withSemicolon(source, [start, length]) {
  return source[start + length] === 0x3b ? [start, length + 1] : [start, length];
}

/** The source with the mutant in it. */
export function applyMutant(source, { start, length, text }) {
  return source.subarray(0, start).toString() + text + source.subarray(start + length).toString();
}
