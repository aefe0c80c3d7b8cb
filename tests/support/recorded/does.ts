const text = await Deno.readTextFile("data/in.txt");
await Deno.writeTextFile("out/new.txt", text);
const done = await new Deno.Command("gzip", { args: ["--version"] }).output();
if (!done.success) Deno.exit(4);
await (await fetch(`http://127.0.0.1:${Deno.args[0]}/`)).text();
if (!Deno.env.get("GRANTED")) Deno.exit(6);
