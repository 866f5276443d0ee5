// GitHub's own libraries on workflows and actions: what they say of files, and what they
// make of expressions. One JSON document on standard input, one on standard output.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

// The libraries import JSON as bundlers take it, without saying that it is JSON.
registerHooks({
  load: (url, context, next) =>
    url.endsWith(".json")
      ? { format: "json", shortCircuit: true, source: readFileSync(new URL(url)) }
      : next(url, context),
  resolve: (name, context, next) =>
    name.endsWith(".json")
      ? { ...next(name, context), importAttributes: { type: "json" } }
      : next(name, context),
});

const asked = JSON.parse(readFileSync(0, "utf8"));
const load = (name) => import(pathToFileURL(`${asked.modules}/${name}`));

async function diagnostics(files, actions) {
  const { validate } = await load("@actions/languageservice/dist/index.js");
  const { TextDocument } = await load("vscode-languageserver-textdocument/lib/esm/main.js");
  const { parse } = await load("yaml/dist/index.js");
  // What `with` may say to actions is here, and not asked of GitHub.
  const metadata = Object.fromEntries(
    Object.entries(actions).map(([name, file]) => [name, parse(readFileSync(file, "utf8"))]),
  );
  const actionsMetadataProvider = {
    fetchActionMetadata: async ({ owner, name, path }) =>
      metadata[[owner, name, path].filter(Boolean).join("/")],
  };
  const settings = Object.keys(actions).length ? { actionsMetadataProvider } : {};
  const found = {};
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    const document = TextDocument.create(pathToFileURL(file).href, "yaml", 1, text);
    const said = await validate(document, settings);
    found[file] = said.map((one) => `${one.range.start.line + 1}: ${one.message}`);
  }
  return found;
}

async function values(expressions) {
  const { Evaluator, Lexer, Parser, data, wellKnownFunctions } = await load(
    "@actions/expressions/dist/index.js",
  );
  const { reviver } = await load("@actions/expressions/dist/data/reviver.js");
  return expressions.map(({ expression, contexts }) => {
    const known = JSON.parse(JSON.stringify(contexts), reviver);
    const { tokens } = new Lexer(expression).lex();
    const functions = Object.values(wellKnownFunctions);
    const parsed = new Parser(tokens, Object.keys(contexts), functions).parse();
    return new Evaluator(parsed, known).evaluate().coerceString();
  });
}

console.log(
  JSON.stringify({
    diagnostics: await diagnostics(asked.files ?? [], asked.actions ?? {}),
    values: await values(asked.expressions ?? []),
  }),
);
