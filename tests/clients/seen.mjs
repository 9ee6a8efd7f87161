// What the programs here share: where the server is, what to ask it (JSON on standard input), and what to say of the answers. A test reads what they print.
import { readFileSync } from "node:fs";

export const origin = process.env.LEDGER_ORIGIN;
export const key = process.env.LEDGER_KEY;

// Every request that the client really made, in order: retries are requests too.
export const requests = [];

export async function fetch(url, init) {
  const answer = await globalThis.fetch(url, init);
  const header = (name) => answer.headers.get(name);
  requests.push({
    path: new URL(url).pathname,
    status: answer.status,
    cost: header("x-ledger-cost"),
    spend: header("x-ledger-spend-id"),
    hold: header("x-ledger-hold"),
    retry: header("x-should-retry"),
    replayed: header("idempotent-replayed"),
  });
  return answer;
}

const errorOf = (error) => ({
  class: error.constructor.name,
  status: error.status ?? null,
  code: error.code ?? null,
  param: error.param ?? null,
  type: error.type ?? null,
  message: error.message,
  request: error.requestID ?? null,
  body: error.error ?? null,
});

// Runs the operation that the command line names, and prints one line of JSON.
export async function run(operations) {
  const seen = {};
  try {
    await operations[process.argv[2]](JSON.parse(readFileSync(0, "utf8")), seen);
  } catch (error) {
    seen.error = errorOf(error);
  }

  seen.requests = requests;
  console.log(JSON.stringify(seen));
}
