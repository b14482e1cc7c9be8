// Starts `headrace lsp` and lets it answer for every .sched file.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const [command, ...args] = vscode.workspace.getConfiguration("headrace").get("command");
  client = new LanguageClient(
    "headrace",
    "Headrace",
    { command, args },
    { documentSelector: [{ scheme: "file", language: "sched" }] },
  );
  return client.start();
}

function deactivate() {
  return client ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
