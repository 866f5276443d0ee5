// The peer: Probot, quiet, with a handler for each of the four events that does nothing.
// It checks the signature and parses the body, and stores nothing.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createNodeMiddleware, createProbot } from "probot";

const port = Number(process.argv[2]);
const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const EVENTS = ["issues", "issue_comment", "projects_v2_item", "pull_request"];

const app = (probot) => probot.on(EVENTS, async () => {});
const probot = createProbot({
  overrides: {
    appId: 1,
    privateKey,
    secret: process.env.WEBHOOK_SECRET,
    logLevel: "fatal",
  },
});
const middleware = await createNodeMiddleware(app, { probot, webhooksPath: "/webhook" });
createServer((request, response) => {
  middleware(request, response, () => response.writeHead(404).end());
}).listen(port, "127.0.0.1");
