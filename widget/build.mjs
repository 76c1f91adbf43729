// Makes dist/: the loader (widget.js), the chat it fetches when it is first opened (chat.js), and the pages beside them.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const minified = {
  name: "minified style sheets as texts",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target: "safari15" });
      return { contents: code.trim(), loader: "text" };
    }),
};
const common = {
  bundle: true,
  charset: "utf8",
  minify: true,
  target: ["es2021", "safari15"],
  plugins: [minified],
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
await cp("pages", "dist", { recursive: true });
// Pressed once here instead of at every request; the loader is not, as the server writes the clinic into it.
for (const name of await readdir("dist")) {
  if (name === "widget.js" || name.endsWith(".html")) continue;
  const content = await readFile(`dist/${name}`);
  await writeFile(`dist/${name}.br`, brotliCompressSync(content));
  await writeFile(`dist/${name}.gz`, gzipSync(content, { level: 9 }));
}
