// Makes dist/: the loader (widget.js), the chat it fetches when it is first opened (chat.js), and the demo page.
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { build } from "esbuild";

const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  loader: { ".css": "text" },
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
};

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
await build({ ...common, entryPoints: ["src/chat.tsx"], format: "esm", outfile: "dist/chat.js" });
const version = createHash("sha256").update(await readFile("dist/chat.js")).digest("hex").slice(0, 12);
await build({
  ...common,
  entryPoints: ["src/widget.ts"],
  format: "iife",
  outfile: "dist/widget.js",
  define: { CHAT: JSON.stringify(`chat.js?v=${version}`) },
});
await cp("demo", "dist", { recursive: true });
