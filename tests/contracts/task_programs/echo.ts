const [mode, ...rest] = Deno.args;
console.log("plain line");
console.log("::progress 40 half way");
console.error("to stderr");
if (mode === "fail") Deno.exit(3);
if (mode === "hang") {
  Deno.addSignalListener("SIGTERM", () => {});
  console.log("hanging");
  await new Promise((resolve) => setTimeout(resolve, 300_000));
}
const received = await new Response(Deno.stdin.readable).text();
if (mode === "size") {
  const file = await Deno.readTextFile(Deno.env.get("TASK_PAYLOAD_FILE")!);
  console.log(JSON.stringify({ stdin: received.length, file: file.length }));
} else {
  const mine = Deno.env.get("MINE");
  console.log(`{"args":"${rest.join("|")}","stdin":${received},"payload":${Deno.env.get("TASK_PAYLOAD")},"mine":"${mine}"}`);
}
