// Bundles src/ into ../static/dist, the only place the site's pages take scripts, styles and fonts from.
// Knows esbuild. Knows nothing of pages.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = fileURLToPath(new URL("../static/dist/", import.meta.url));
const watch = process.argv.includes("--watch");

const options = {
  absWorkingDir: here,
  entryPoints: [
    { in: "src/theme-early.ts", out: "theme-early" },
    { in: "src/app.ts", out: "app" },
    { in: "src/css/app.css", out: "app" },
    { in: "assets/favicon.svg", out: "favicon" },
    { in: "assets/touch-icon.png", out: "touch-icon" },
  ],
  outdir: dist,
  bundle: true,
  format: "iife",
  // The oldest browsers that know light-dark(), popover and CSS nesting: 2024.
  target: ["chrome123", "firefox125", "safari17.5"],
  minify: !watch,
  sourcemap: watch,
  legalComments: "linked",
  loader: { ".woff2": "file", ".svg": "copy", ".png": "copy" },
  assetNames: "fonts/[name]",
  logLevel: "info",
};

await rm(dist, { recursive: true, force: true });
if (watch) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
}
